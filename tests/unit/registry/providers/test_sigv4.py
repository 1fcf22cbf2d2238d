"""Signature Version 4 against the answers that AWS publishes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundlewatch.registry.providers.sigv4 import Keys, signed
from bundlewatch.registry.urls import Url

ROWS = yaml.safe_load((Path(__file__).parents[1] / "tables/sigv4.yaml").read_text())
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_request_is_signed_as_aws_publishes_it(row: dict[str, Any]) -> None:
    url = Url.parse(f"https://example.amazonaws.com{row.get('path', '/')}?{row.get('query', '')}")
    assert url is not None

    headers = signed(
        row.get("method", "GET"),
        url,
        headers=row.get("headers", {}),
        content=row.get("body", "").encode(),
        region="us-east-1",
        service="service",
        keys=Keys("AKIDEXAMPLE", SECRET, row.get("token", "")),
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )

    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={row['signed']}, Signature={row['signature']}"
    )


def test_keys_never_show_themselves() -> None:
    assert SECRET not in repr(Keys("AKIDEXAMPLE", SECRET))
