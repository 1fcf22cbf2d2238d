"""A registry as a person at a terminal reaches it: logged in by flags, the environment or Docker's configuration."""

import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.cli import docker_login, wording
from bundlewatch.cli.endings import fail, note
from bundlewatch.errors import InvalidSecret
from bundlewatch.registry import quotas, tls
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.credentials import ANONYMOUS, Credential
from bundlewatch.registry.proxies import Proxies, ProxyError
from bundlewatch.registry.quotas import Quota
from bundlewatch.registry.reference import Repository, parse_repository
from bundlewatch.registry.tls import ClientCertificate

T = TypeVar("T")

_USERNAME: Final = "BUNDLEWATCH_REGISTRY_USERNAME"
_PASSWORD: Final = "BUNDLEWATCH_REGISTRY_PASSWORD"  # noqa: S105 - a name
_TOLD_HERE: Final = logging.NullHandler()  # in our own words, at the end
_IN_THE_CLEAR: Final = "no login was sent, since those of Docker's configuration do not go over plain HTTP"


@dataclass(frozen=True, slots=True)
class Login:
    """What the flags say; a user name wins over Docker's configuration."""

    username: str | None
    password: str | None
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    insecure: bool

    @contextmanager
    def access(self, repository: Repository) -> Iterator[Access]:
        """The way to a repository; errors in the block are told in the words of the flags.

        Raises InvalidSecret where the flags contradict each other or a file cannot be used.
        """
        credential = self._own() or _of_docker(repository, insecure=self.insecure)
        ca_pem, certificate = self._trust()
        with wording.spoken(wording.FLAGS):
            yield Access(credential=credential, ca_pem=ca_pem, certificate=certificate, insecure=self.insecure)

    def _own(self) -> Credential | None:
        if self.username is None and self.password is None:
            return None
        if self.password is None:
            raise InvalidSecret(
                f"--username needs a password: pipe it into --password-stdin, or set {_PASSWORD} in the environment"
            )
        if self.username is None:
            raise InvalidSecret(
                f"a password needs a user name: give it by --username, or set {_USERNAME} in the environment"
            )
        if ":" in self.username or not self.username.isprintable():
            raise InvalidSecret("--username has a colon, or a character that is not printable; remove it")
        try:
            self.password.encode()
        except UnicodeEncodeError:  # the environment may hold any bytes
            raise InvalidSecret(f"the password in {_PASSWORD} is no text in UTF-8; no registry takes another") from None
        return Credential(username=self.username, password=self.password)

    def _trust(self) -> tuple[bytes | None, ClientCertificate | None]:
        if self.insecure and (self.ca_file or self.cert_file or self.key_file):
            raise InvalidSecret(
                "plain HTTP has no certificates: leave out --insecure, or --ca-file, --cert-file and --key-file"
            )
        ca_pem = _read("--ca-file", self.ca_file)
        chain, key = _read("--cert-file", self.cert_file), _read("--key-file", self.key_file)
        if ca_pem is not None:
            _check(f"--ca-file {self.ca_file}", ca_pem, None)
        if chain is None or key is None:
            if chain is not None or key is not None:
                raise InvalidSecret(
                    "a client certificate needs both --cert-file and --key-file; give the other one too"
                )
            return ca_pem, None
        certificate = ClientCertificate(chain, key)
        _check(f"--cert-file {self.cert_file} and --key-file {self.key_file}", None, certificate)
        return ca_pem, certificate


def flags(command: Callable[..., T]) -> Callable[..., T]:
    """The flags of a `Login`, given to the command as `login`."""

    @click.option("--insecure", is_flag=True, help="Talk plain HTTP.")
    @click.option("--username", envvar=_USERNAME, show_envvar=True, metavar="NAME", help="Log in by this.")
    @click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
    @click.option("--ca-file", metavar="PATH", help="Authorities in PEM form to trust besides the usual ones.")
    @click.option("--cert-file", metavar="PATH", help="Client certificate in PEM form, for a registry that wants one.")
    @click.option("--key-file", metavar="PATH", help="Its private key in PEM form, without a password.")
    @wraps(command)
    def called(
        *arguments: Any,
        insecure: bool,
        username: str | None,
        password_stdin: bool,
        ca_file: str | None,
        cert_file: str | None,
        key_file: str | None,
        **options: Any,
    ) -> T:
        # A flag would be seen by everybody.
        password = _piped() if password_stdin else os.environ.get(_PASSWORD) or None
        login = Login(
            username=username or None,
            password=password,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            insecure=insecure,
        )
        return command(*arguments, login=login, **options)

    return called


@asynccontextmanager
async def client(*, tells_quotas: bool = False) -> AsyncIterator[RegistryClient]:
    """A client for as long as the block lasts; through the proxies that the environment names.

    At the end it is told what is left of a quota where that is little; `tells_quotas`: also where it is much.
    """
    logging.getLogger(quotas.__name__).addHandler(_TOLD_HERE)
    try:
        registry = RegistryClient(proxies=Proxies.from_environment(os.environ))
    except ProxyError as error:
        raise click.UsageError(str(error)) from None
    try:
        yield registry
    finally:
        await registry.aclose()
        for host, quota in registry.quotas().items():
            if quota.is_scarce or tells_quotas:
                note(_left(host, quota))


def _left(host: str, quota: Quota) -> str:
    told = f"{host} allows {quota.remaining} more of {quota.limit} pulls in {quota.window_s / 3600:g} h"
    return f"{told}; a login may have a higher limit" if quota.is_scarce else told


@contextmanager
def access_of(watch: BundleWatch) -> Iterator[tuple[Repository, Access]]:
    """The repository of a BundleWatch that need not be in a cluster, and the way there.

    Errors in the block are told in words for whoever has the file. Raises InvalidReference, and InvalidSecret where
    Docker's configuration cannot be used.
    """
    wanted = watch.spec.access
    named = wanted.secret_ref, wanted.ca_secret_ref, wanted.service_account_name
    if any(named) or wanted.from_argo_cd or wanted.provider != "generic":
        note(
            "Secrets are not read without a cluster, nor is a cloud asked; Docker's configuration and the usual "
            "authorities stand in for spec.access"
        )
    repository = parse_repository(watch.spec.repository)
    credential = _of_docker(repository, insecure=wanted.insecure)
    with wording.spoken(wording.FILE_IN_THE_CLEAR if wanted.insecure else wording.FILE):
        yield repository, Access(credential=credential, ca_pem=None, insecure=wanted.insecure)


def _of_docker(repository: Repository, *, insecure: bool) -> Credential:
    return replace(ANONYMOUS, source=_IN_THE_CLEAR) if insecure else docker_login.find(repository)


def _piped() -> str:
    try:
        password = sys.stdin.buffer.read().decode().rstrip("\r\n")
    except UnicodeDecodeError:
        fail("--password-stdin: what comes from standard input is no text in UTF-8; no registry takes another", code=2)
    if not password:
        fail("--password-stdin: nothing comes from standard input; pipe the password into it", code=2)
    return password


def _read(flag: str, path: str | None) -> bytes | None:
    try:
        return None if path is None else Path(path).read_bytes()
    except OSError as error:
        raise InvalidSecret(f"{flag} {path}: {error.strerror}") from None


def _check(flags: str, ca_pem: bytes | None, certificate: ClientCertificate | None) -> None:
    try:
        tls.check(ca_pem, certificate)
    except InvalidSecret as error:
        raise InvalidSecret(f"{flags}: {wording.in_words(str(error), wording.FLAGS)}") from None
