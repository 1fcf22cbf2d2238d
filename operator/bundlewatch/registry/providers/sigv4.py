"""AWS Signature Version 4, as far as a small POST without a query needs it; pure.

Rule: "Create a signed AWS API request" in the AWS documentation; its published test suite is the test.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bundlewatch.registry.urls import Url

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Security credentials of AWS; never shows itself."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    @property
    def secret_texts(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.access_key_id, self.secret_access_key, self.session_token)))


def signed(
    method: str,
    url: Url,
    *,
    headers: Mapping[str, str],
    content: bytes,
    region: str,
    service: str,
    keys: Keys,
    now: datetime,
) -> dict[str, str]:
    """All headers to send. `headers` have names in lower case and no `host`; `now` is in UTC."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    own = {**headers, "x-amz-date": moment}
    if keys.session_token:
        own["x-amz-security-token"] = keys.session_token
    to_sign = sorted({**own, "host": url.origin.authority}.items())
    names = ";".join(name for name, _ in to_sign)
    request = "\n".join(
        (
            method,
            url.path,
            "&".join(sorted(filter(None, url.query.split("&")))),
            *(f"{name}:{' '.join(value.split())}" for name, value in to_sign),
            "",
            names,
            hashlib.sha256(content).hexdigest(),
        )
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    own["authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return own
