"""Decides whether a source of an Application is a given OCI repository, and which source is meant.

Argo CD has three normalisations of its own, none fit for this; ours compares host and path exactly and
never by prefix, so that a BundleWatch can only move an Application among the tags of the repository it
already uses. Both sides take the same canonical form: lower-case `host/path`, default port dropped, the
names of Docker Hub made one. It knows nothing of tags or of what is in the repository.
"""

import re
from enum import StrEnum

from bundlewatch.api.text import clean
from bundlewatch.argocd.application import Application, Source
from bundlewatch.errors import InvalidReference, InvalidSpec

_OCI = "oci://"
_HUB = "docker.io"
_HUB_NAMES = frozenset({_HUB, "index.docker.io", "registry.hub.docker.com", "registry-1.docker.io"})
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:@?#\[\]]+)(?::(?P<port>[0-9]+))?")
# Userinfo, query, fragment, digest and tag have no place in a source; nor has anything that is not printed.
_PATH = re.compile(r"[^\s@?#:\\]+")
_USERINFO = re.compile(r"^([a-z+]+://)?[^/@]+@", re.IGNORECASE)

_SHOWN_LIMIT = 120
_LISTED_LIMIT = 8


class SourceKind(StrEnum):
    """How Argo CD fetches a source; it decides how a version is spelled."""

    HELM_OCI = "Helm-OCI"
    NATIVE_OCI = "native OCI"


class UnsupportedApplication(InvalidSpec):
    """An Application whose version nobody can move by its target revision."""

    reason = "UnsupportedApplication"


class NoMatchingSource(InvalidSpec):
    """No source of the Application, or not the one asked for, is the repository."""

    reason = "NoMatchingSource"


class SeveralMatchingSources(InvalidSpec):
    """More than one source is the repository, and nobody says which is meant."""

    reason = "SeveralMatchingSources"


def kind_of(source: Source) -> SourceKind | None:
    """By Argo CD's own order: the scheme, then the chart; the rest is Git or a classic Helm repository."""
    repo_url = source.repo_url.strip()
    if source.ref:
        return None
    if repo_url[: len(_OCI)].lower() == _OCI:
        return SourceKind.NATIVE_OCI
    return SourceKind.HELM_OCI if source.chart and "://" not in repo_url and "@" not in repo_url else None


def repository_of(source: Source, *, insecure: bool = False) -> str | None:
    """The repository a source deploys from, as canonical `host/path`; None when it is no OCI source.

    `insecure`: the registry is reached by plain HTTP, so `:80` is a default port too.
    """
    kind = kind_of(source)
    if kind is None:
        return None
    rest = _without_scheme(source.repo_url)
    if kind is SourceKind.HELM_OCI:
        chart = (source.chart or "").strip("/")
        rest = f"{rest}/{chart}" if chart else ""
    return _canonical(rest, insecure=insecure)


def canonical_repository(text: str, *, insecure: bool = False) -> str:
    """The same form of what a BundleWatch names. Raises InvalidReference when it can be no repository."""
    canonical = _canonical(_without_scheme(text), insecure=insecure)
    if canonical is None:
        raise InvalidReference(
            f"{_shown(text)!r} is no repository: write the registry and the path, without tag and digest, "
            "as in registry.example.com/shop/bundle"
        )
    return canonical


def choose_source(
    application: Application, *, repository: str, source: int | str | None, insecure: bool = False
) -> Source:
    """The one source of `application` that is `repository`; `source` names one by index or name.

    Raises UnsupportedApplication, NoMatchingSource or SeveralMatchingSources, each with what to change where.
    """
    if application.hydrated:
        raise UnsupportedApplication(
            f"Application {application.full_name} takes its manifests from a source hydrator "
            "(spec.sourceHydrator), whose version stands in Git: "
            "deploy the chart by spec.source or spec.sources instead"
        )
    wanted = canonical_repository(repository, insecure=insecure)
    matching = [found for found in application.sources if repository_of(found, insecure=insecure) == wanted]
    named = matching if source is None else _named(matching, source)
    if len(named) == 1:
        return named[0]
    if named:
        raise SeveralMatchingSources(
            f"{len(named)} sources of Application {application.full_name} deploy from {wanted}: "
            f"set applications[].source to one of {_choices(named)}"
        )
    if matching:
        raise NoMatchingSource(
            f"applications[].source is {_quoted(source)}, but {_missing(application, source)}: "
            f"what deploys from {wanted} there is {_choices(matching)}; set it to that"
        )
    raise NoMatchingSource(
        f"no source of Application {application.full_name} deploys from {wanted}: "
        f"{_listed(application, insecure=insecure)}; "
        "correct spec.repository of the BundleWatch, or the source of the Application"
    )


def _without_scheme(text: str) -> str:
    text = text.strip()
    if text[: len(_OCI)].lower() == _OCI:
        text = text[len(_OCI) :]
    return text.rstrip("/")


def canonical_host(text: str, *, insecure: bool = False) -> str | None:
    """A registry's host and port as they stand in the canonical form; None when it is no host."""
    parts = _HOST.fullmatch(text.lower())
    if parts is None:
        return None
    name, port = parts["name"], parts["port"]
    if port == "443" or (port == "80" and insecure):
        port = None
    if name in _HUB_NAMES and port is None:
        name = _HUB
    return f"{name}:{port}" if port else name


def _canonical(text: str, *, insecure: bool) -> str | None:
    host, slash, path = text.partition("/")
    name = canonical_host(host, insecure=insecure)
    if not slash or name is None or _PATH.fullmatch(path) is None:
        return None
    if name == _HUB and "/" not in path:
        path = f"library/{path}"
    return f"{name}/{path.lower()}"


def _named(sources: list[Source], wanted: int | str) -> list[Source]:
    """By name first: a name may consist of digits, and an index may have been written as text."""
    by_name = [found for found in sources if found.name and found.name == wanted]
    if by_name:
        return by_name
    return [found for found in sources if str(found.index) == str(wanted)]


def _choices(sources: list[Source]) -> str:
    """What to write: a name where it is the only one of its kind, else the index."""
    names = [source.name for source in sources]
    return ", ".join(
        _quoted(source.name) if source.name and names.count(source.name) == 1 else str(source.index)
        for source in sources[:_LISTED_LIMIT]
    )


def _missing(application: Application, wanted: int | str | None) -> str:
    known = [found for found in application.sources if wanted in {found.index, found.name, str(found.index)}]
    what = "has another repository" if known else "does not exist"
    return f"that source of Application {application.full_name} {what}"


def _listed(application: Application, *, insecure: bool) -> str:
    if not application.sources:
        return "it has no source at all"
    listed = [_described(source, insecure=insecure) for source in application.sources[:_LISTED_LIMIT]]
    left_out = len(application.sources) - len(listed)
    return ", ".join(listed) + (f", and {left_out} more" if left_out else "")


def _described(source: Source, *, insecure: bool) -> str:
    label = f"source {source.index}" + (f" ({_shown(source.name)})" if source.name else "")
    address = _shown(source.repo_url)
    repository = repository_of(source, insecure=insecure)
    if source.ref:
        return f"{label} only lends files to others (ref: {_shown(source.ref)})"
    if repository is not None:
        return f"{label} is {kind_of(source)} {address} (repository {_shown(repository)})"
    if kind_of(source) is not None:
        return f"{label} is {kind_of(source)} {address}, which is no repository"
    if source.chart:
        return f"{label} is a classic Helm repository ({address})"
    return f"{label} is a Git source ({address})"


def _quoted(wanted: int | str | None) -> str:
    return f"'{_shown(wanted)}'" if isinstance(wanted, str) else str(wanted)


def _shown(text: str) -> str:
    """An address may carry credentials before an @ or in a query, and a status is read by many."""
    return clean(_USERINFO.sub(r"\1***@", text).partition("?")[0], max_length=_SHOWN_LIMIT)
