"""A registry as a person at a terminal reaches it: logged in by flags, the environment or Docker's configuration."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.errors import InvalidSecret
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.credentials import ANONYMOUS, DOCKER_CONFIG_KEY, Credential
from bundlewatch.registry.proxies import Proxies, ProxyError
from bundlewatch.registry.reference import Repository, parse_repository

T = TypeVar("T")

_DOCKER_CONFIG: Final = "kubernetes.io/dockerconfigjson"
_FLAGS_FOR: Final = (
    ("set spec.access.insecure to true", "use --insecure"),
    ("set spec.access.insecure to false", "leave out --insecure"),
    ("remove spec.access.insecure", "leave out --insecure"),
    ("name a Secret with them in spec.access.secretRef", "give them by --username and --password-stdin"),
    ("the Secret that spec.access.secretRef names", "user name and password"),
    ("(spec.access.secretRef)", "(--username)"),
    ("into the Secret of spec.access.caSecretRef", "into a file for --ca-file"),
    ("of the Secret that spec.access.caSecretRef names", "that --ca-file names"),
)


@dataclass(frozen=True, slots=True)
class Login:
    """What the flags say; a user name wins over Docker's configuration."""

    username: str | None
    password: str | None
    ca_file: str | None
    insecure: bool

    def access(self, repository: Repository) -> Access:
        """Raises InvalidSecret where the flags contradict each other or a file cannot be read."""
        credential = _docker_login(repository)
        if self.username or self.password:
            if not (self.username and self.password):
                raise InvalidSecret(
                    "--username needs a password, from --password-stdin or the environment, and vice versa"
                )
            credential = Credential(username=self.username, password=self.password)
        try:
            ca_pem = Path(self.ca_file).read_bytes() if self.ca_file else None
        except OSError as error:
            raise InvalidSecret(f"--ca-file {self.ca_file}: {error.strerror}") from None
        return Access(credential=credential, ca_pem=ca_pem, insecure=self.insecure)


def flags(command: Callable[..., T]) -> Callable[..., T]:
    """The flags of a `Login`, given to the command as `login`."""

    @click.option("--insecure", is_flag=True, help="Talk plain HTTP.")
    @click.option(
        "--username", envvar="BUNDLEWATCH_REGISTRY_USERNAME", show_envvar=True, metavar="NAME", help="Log in by this."
    )
    @click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
    @click.option("--ca-file", metavar="PATH", help="Authorities in PEM form to trust besides the usual ones.")
    @wraps(command)
    def called(
        *arguments: Any, insecure: bool, username: str | None, password_stdin: bool, ca_file: str | None, **options: Any
    ) -> T:
        password = os.environ.get("BUNDLEWATCH_REGISTRY_PASSWORD") or None  # a flag would be seen by everybody
        if password_stdin:
            password = sys.stdin.read().rstrip("\r\n")
        return command(*arguments, login=Login(username or None, password, ca_file, insecure), **options)

    return called


def spoken(message: str) -> str:
    """An error's words for whoever has flags and no BundleWatch."""
    for words, flag in _FLAGS_FOR:
        message = message.replace(words, flag)
    return message


@asynccontextmanager
async def client() -> AsyncIterator[RegistryClient]:
    """A client for as long as the block lasts; through the proxies that the environment names."""
    try:
        registry = RegistryClient(proxies=Proxies.from_environment(os.environ))
    except ProxyError as error:
        raise click.UsageError(str(error)) from None
    try:
        yield registry
    finally:
        await registry.aclose()


def access_of(watch: BundleWatch) -> tuple[Repository, Access]:
    """The repository of a BundleWatch that need not be in a cluster, and the way there. Raises InvalidReference."""
    wanted = watch.spec.access
    named = wanted.secret_ref, wanted.ca_secret_ref, wanted.service_account_name
    if any(named) or wanted.from_argo_cd or wanted.provider != "generic":
        click.echo(
            "bundlewatch: Secrets are not read without a cluster, nor is a cloud asked; Docker's configuration and the "
            "usual authorities stand in for spec.access",
            err=True,
        )
    repository = parse_repository(watch.spec.repository)
    return repository, Access(credential=_docker_login(repository), ca_pem=None, insecure=wanted.insecure)


def _docker_login(repository: Repository) -> Credential:
    directory = os.environ.get("DOCKER_CONFIG")
    try:
        content = (Path(directory) if directory else Path.home() / ".docker").joinpath("config.json").read_bytes()
        return Credential.from_secret(_DOCKER_CONFIG, {DOCKER_CONFIG_KEY: content}, repository=repository)
    except (OSError, RuntimeError, InvalidSecret):  # no file, no home, no entry
        return ANONYMOUS
