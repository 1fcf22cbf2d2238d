"""What a Secret may be used for, and what is said when it may not."""

from collections.abc import Mapping
from typing import Any

import pytest

from bundlewatch.cluster import secrets
from bundlewatch.errors import InvalidSecret


class Cluster:
    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body

    async def read_secret(self, namespace: str, name: str) -> Mapping[str, Any]:
        assert (namespace, name) == ("shop", "regcred")
        return self.body


async def read(**body: Any) -> secrets.Secret:
    return await secrets.read(Cluster(body), namespace="shop", name="regcred")


async def test_its_data_is_decoded_and_its_text_form_shows_none_of_it() -> None:
    found = await read(type="kubernetes.io/basic-auth", data={"username": "Y2k=", "password": "c2VjcmV0"})

    assert found.data == {"username": b"ci", "password": b"secret"}
    assert found.type == "kubernetes.io/basic-auth"
    assert "secret" not in repr(found).replace("Secret(", "")


async def test_what_is_not_base64_is_said_with_the_secrets_name() -> None:
    with pytest.raises(InvalidSecret, match="Secret shop/regcred holds data that is not base64"):
        await read(data={"password": "§"})


@pytest.mark.parametrize("kind", ["repository", "repo-creds", "cluster"])
async def test_a_secret_of_argo_cd_is_sent_to_no_registry(kind: str) -> None:
    labels = {"argocd.argoproj.io/secret-type": kind}

    with pytest.raises(InvalidSecret, match="belongs to Argo CD"):
        await read(metadata={"labels": labels}, data={"username": "Y2k=", "password": "c2VjcmV0"})
