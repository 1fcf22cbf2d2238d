"""A registry as a person at a terminal reaches it: with Docker's own configuration, where there is one."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.errors import InvalidSecret
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.credentials import ANONYMOUS, DOCKER_CONFIG_KEY, Credential
from bundlewatch.registry.reference import Repository, parse_repository


@asynccontextmanager
async def client() -> AsyncIterator[RegistryClient]:
    """A client for as long as the block lasts."""
    registry = RegistryClient()
    try:
        yield registry
    finally:
        await registry.aclose()


def access_of(watch: BundleWatch) -> tuple[Repository, Access]:
    """The repository of a BundleWatch that need not be in a cluster, and the way there. Raises InvalidReference."""
    wanted = watch.spec.access
    if wanted.secret_ref is not None or wanted.ca_secret_ref is not None:
        click.echo(
            "bundlewatch: Secrets are not read without a cluster; Docker's configuration and the usual authorities "
            "stand in for spec.access",
            err=True,
        )
    repository = parse_repository(watch.spec.repository)
    return repository, Access(credential=_credential(repository), ca_pem=None, insecure=wanted.insecure)


def _credential(repository: Repository) -> Credential:
    directory = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        content = (Path(directory) / "config.json").read_bytes()
        secret_type = "kubernetes.io/dockerconfigjson"  # noqa: S105 - a type, not a secret
        return Credential.from_secret(secret_type, {DOCKER_CONFIG_KEY: content}, repository=repository)
    except (OSError, RuntimeError, InvalidSecret):  # no file, no home, no entry
        return ANONYMOUS
