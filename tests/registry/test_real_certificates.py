"""Client certificates: the real registry lets us in with the right one, and nobody else ever sees it."""

import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlewatch.errors import InvalidSecret, RegistryUnavailable
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.reference import Repository, parse_repository
from bundlewatch.registry.tls import ClientCertificate, Trust, context
from bundlewatch.registry.transport import Answer, Timeouts, Transport
from bundlewatch.registry.urls import Url
from kit.certificates import Certificates, issue, issue_client
from kit.registry import Registry


@pytest.fixture(scope="module")
def strict() -> Iterator[Registry]:
    with Registry.start(tls=True, wants_certificate=True) as registry:
        registry.push_chart("shop/bundle", "shop", "1.0.0")
        yield registry


@pytest.fixture
async def client() -> AsyncIterator[RegistryClient]:
    client = RegistryClient()
    yield client
    await client.aclose()


@pytest.fixture
def target(strict: Registry) -> Repository:
    return parse_repository(f"{strict.host}/shop/bundle")


def shown(files: Certificates) -> ClientCertificate:
    return ClientCertificate(files.certificate.read_bytes(), files.key.read_bytes())


def own(registry: Registry) -> ClientCertificate:
    assert registry.client is not None
    return shown(registry.client)


async def test_the_right_certificate_opens_and_no_file_of_it_stays(
    client: RegistryClient, strict: Registry, target: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    access = Access(ca_pem=strict.ca_pem, certificate=own(strict))
    assert await client.list_tags(target, access=access) == ("1.0.0",)
    assert list(tmp_path.iterdir()) == []
    held = [file.readlink() for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    assert not any("memfd" in str(file) for file in held)


async def test_without_one_and_with_a_stranger_s_the_cure_is_told(
    client: RegistryClient, strict: Registry, target: Repository, tmp_path: Path
) -> None:
    wants = r"wants a client certificate; put one into tls\.crt and tls\.key"
    late = r"; if it wants a client certificate, check tls\.crt and tls\.key"  # the reset was there before the alert
    with pytest.raises(RegistryUnavailable, match=f"{wants}|{late}"):
        await client.list_tags(target, access=Access(ca_pem=strict.ca_pem))
    stranger = Access(ca_pem=strict.ca_pem, certificate=shown(issue_client(tmp_path)))
    refuses = r"refuses our client certificate; check that tls\.crt"
    with pytest.raises(RegistryUnavailable, match=f"{refuses}|{late}"):
        await client.list_tags(target, access=stranger)


async def test_who_has_no_certificate_never_uses_the_connection_of_who_has(
    client: RegistryClient, strict: Registry, target: Repository
) -> None:
    for _ in range(2):
        await client.list_tags(target, access=Access(ca_pem=strict.ca_pem, certificate=own(strict)))
        with pytest.raises(RegistryUnavailable):
            await client.list_tags(target, access=Access(ca_pem=strict.ca_pem))


async def test_only_the_registry_s_own_origin_is_shown_it(strict: Registry) -> None:
    """A token server at another port, and the target of a redirect, are other hosts."""
    given: dict[str, bool] = {}

    class Watched(Transport):
        async def call(self, method: str, url: Url, **options: Any) -> Answer:  # type: ignore[override] # handed on
            given[f"{url.origin.port}{url.path}"] = options.get("certificate") is not None
            return await super().call(method, url, **options)

    with Registry.start("token", tls=True) as registry:
        registry.push_chart("shop/bundle", "shop", "1.0.0")
        assert registry.token_server is not None
        realm = Url.parse(registry.token_server.realm)
        assert realm is not None
        client = RegistryClient(transport=Watched(timeouts=Timeouts()))
        access = Access(ca_pem=registry.ca_pem, certificate=own(strict))
        with pytest.raises(Exception, match="without credentials"):
            await client.list_tags(parse_repository(f"{registry.host}/shop/bundle"), access=access)
        await client.aclose()
    assert given[f"{realm.origin.port}/token"] is False
    assert given[f"{registry.port}/v2/shop/bundle/tags/list"] is True


PAIR = ("tls.crt", "tls.key")


def test_every_unusable_pair_is_named_with_its_cure(tmp_path: Path) -> None:
    one, other = issue(tmp_path / "one"), issue(tmp_path / "other")
    certificate, key = one.certificate.read_bytes(), one.key.read_bytes()
    encrypted = subprocess.run(
        ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", one.key], check=True, capture_output=True
    ).stdout
    mangled = key.replace(key.splitlines()[1], b"AAAA")
    cases = {
        r"tls\.crt and tls\.key .* do not belong together": (certificate, other.key.read_bytes()),
        r"tls\.key .* is encrypted; .*openssl pkey": (certificate, encrypted),
        r"tls\.crt .* holds no certificate in PEM": (b"\x30\x82", key),
        r"tls\.key .* holds no private key in PEM": (certificate, b"\x30\x82"),
        r"tls\.crt and tls\.key .* are no usable pair": (certificate, mangled),
    }
    for words, (chain, private) in cases.items():
        with pytest.raises(InvalidSecret, match=words) as error:
            context(None, ClientCertificate(chain, private))
        assert "caSecretRef" in str(error.value)
        assert not isinstance(error.value.__cause__, ssl.SSLError)
        assert "AAAA" not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "it has no key ca.crt (it has no key at all); put the registry's CA"),
        (["password"], "it has no key ca.crt (it has password)"),
        (["tls.crt"], "it has the key tls.crt but not tls.key: a client certificate needs both; add tls.key"),
        (["ca.crt", "tls.key"], "it has the key tls.key but not tls.crt"),
    ],
)
def test_a_secret_with_half_of_it_is_refused_with_the_cure(keys: list[str], says: str) -> None:
    with pytest.raises(InvalidSecret) as error:
        Trust.from_secret(dict.fromkeys(keys, b"x"))
    assert says in str(error.value)


def test_a_secret_may_have_either_or_both() -> None:
    assert Trust.from_secret({"ca.crt": b"a"}) == Trust(b"a", None)
    assert Trust.from_secret({"tls.crt": b"b", "tls.key": b"c", "ca.crt": b""}) == Trust(
        None, ClientCertificate(b"b", b"c")
    )
    assert Trust.from_secret({"ca.crt": b"a", "tls.crt": b"b", "tls.key": b"c"}).certificate is not None
    assert "b'c'" not in repr(Access(certificate=ClientCertificate(b"b", b"c")))
    assert "b'c'" not in repr(ClientCertificate(b"b", b"c"))
