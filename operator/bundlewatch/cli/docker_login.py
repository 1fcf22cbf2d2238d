"""The login that `docker login` has left on this machine, as far as it can be used without running programs.

A missing file, and one without an entry for the repository, mean that there is no login; a file that is there and
cannot be used is a mistake, and nobody is asked anonymously instead.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bundlewatch.errors import InvalidSecret
from bundlewatch.registry.credentials import ANONYMOUS, Credential, NoEntry
from bundlewatch.registry.docker_config import KeyPattern
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.untrusted import clean


def find(repository: Repository) -> Credential:
    """The login for a repository; anonymous, with the reason as its source, where there is none.

    Raises InvalidSecret, which names the file.
    """
    directory = os.environ.get("DOCKER_CONFIG")
    try:
        path = (Path(directory) if directory else Path.home() / ".docker") / "config.json"
    except RuntimeError:
        return _none("nobody has a home here, and DOCKER_CONFIG is not set")
    try:
        content = path.read_bytes().strip() or b"{}"  # Docker takes an empty file, too
    except (FileNotFoundError, NotADirectoryError):
        return _none(f"there is no {path}")
    except OSError as error:
        raise _unusable(path, error.strerror or "no reason given") from None
    try:
        found = Credential.from_docker_config(content, repository=repository)
        return replace(found, source=f"the login for it in {path}")
    except NoEntry:
        helper = _helper(content, repository)
    except InvalidSecret as error:
        raise _unusable(path, str(error)) from None
    if helper is None:
        return _none(f"{path} has none for {repository.host}")
    return _none(
        f"{path} leaves it to a program for {repository.host}, docker-credential-{helper}, which is not run here"
    )


def _helper(content: bytes, repository: Repository) -> str | None:
    """The program that Docker would ask: the one for the registry, else the one for all."""
    config = json.loads(content)
    single, whole = config.get("credHelpers"), config.get("credsStore")
    named = {
        key: name
        for key, name in (single if isinstance(single, Mapping) else {}).items()
        if KeyPattern.parse(key).rank(repository) is not None
    }
    name = next(iter(named.values()), whole)
    return clean(name, 60) if isinstance(name, str) and name else None


def _none(why: str) -> Credential:
    return replace(ANONYMOUS, source=f"no login was sent, since {why}")


def _unusable(path: Path, why: str) -> InvalidSecret:
    return InvalidSecret(
        f"Docker's configuration {path} cannot be used; mend it, or set DOCKER_CONFIG to another directory: {why}"
    )
