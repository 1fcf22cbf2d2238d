"""Where a bundle comes from, as far as its archive says: commit, its time, pipeline.

werf writes the commit into the chart's default values and CI's links into `extra_annotations.json`; both are in
the chart layer, a gzipped tar. It is read from memory, member by member, up to stated sizes; nothing is unpacked to
a disk, no link is followed, and every string is cleaned. Charts that other tools publish have none of it, but may
have OCI's own annotations on the manifest.
"""

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import yaml

from bundlewatch.registry.untrusted import clean

LAYER_LIMIT_BYTES: Final = 8 << 20  # compressed; the usual one has a few tens of KiB
_UNPACKED_LIMIT_BYTES: Final = 32 << 20
_MEMBER_LIMIT_BYTES: Final = 1 << 20
_MEMBERS: Final = 10_000
_TEXT: Final = 200
_LINK: Final = 1000
_LATEST: Final = 253_402_300_799  # the last second of the year 9999

_REVISION: Final = "org.opencontainers.image.revision"
_CREATED: Final = "org.opencontainers.image.created"
_CI_COMMIT: Final = "ci.werf.io/commit"
_PIPELINES: Final = ("gitlab.ci.werf.io/pipeline-url", "github.ci.werf.io/workflow-run-url", "ci.werf.io/pipeline-url")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of it; None where nothing is."""

    commit: str | None = None
    commit_time: str | None = None  # RFC 3339
    created: str | None = None  # as the publisher wrote it
    pipeline: str | None = None  # an http(s) link
    werf: bool = False
    """Whether werf has published it."""


def of_annotations(annotations: Mapping[str, object]) -> Provenance:
    """What the manifest's annotations say."""
    return Provenance(commit=_text(annotations.get(_REVISION)), created=_text(annotations.get(_CREATED)))


def of_layer(raw: bytes, *, known: Provenance) -> Provenance:
    """`known`, and what the chart layer says besides. What cannot be read says nothing; never raises."""
    values, extra = _members(raw)
    werf = values.get("werf")
    werf = werf if isinstance(werf, Mapping) else {}
    commit = werf.get("commit")
    commit = commit if isinstance(commit, Mapping) else {}
    date = commit.get("date")
    unix = date.get("unix") if isinstance(date, Mapping) else None
    link = next((found for name in _PIPELINES if (found := _link(extra.get(name)))), None)
    return replace(
        known,
        commit=_text(commit.get("hash")) or known.commit or _text(extra.get(_CI_COMMIT)),
        commit_time=_time(unix),
        pipeline=link,
        werf=bool(werf) or "project.werf.io/name" in extra,
    )


def _members(raw: bytes) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The chart's default values and werf's annotations; of what is missing or malformed, nothing."""
    values: Mapping[str, object] = {}
    extra: Mapping[str, object] = {}
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as unpacked:
            archive = tarfile.open(fileobj=io.BytesIO(unpacked.read(_UNPACKED_LIMIT_BYTES)), mode="r:")  # noqa: SIM115
            for count, member in enumerate(archive):
                if count == _MEMBERS:
                    break
                parts = member.name.split("/")
                if len(parts) != 2 or not member.isreg() or member.size > _MEMBER_LIMIT_BYTES:
                    continue
                content = archive.extractfile(member)
                if content is not None and parts[1] == "values.yaml":
                    values = _mapping(yaml.load(content.read(), Loader=_LOADER))  # noqa: S506 - a safe loader
                elif content is not None and parts[1] == "extra_annotations.json":
                    extra = _mapping(json.loads(content.read()))
    except (OSError, EOFError, zlib.error, tarfile.TarError, yaml.YAMLError, ValueError, RecursionError):
        pass
    return values, extra


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return (clean(value, _TEXT) or None) if isinstance(value, str) else None


def _link(value: object) -> str | None:
    text = clean(value, _LINK) if isinstance(value, str) else ""
    return text if text.startswith(("https://", "http://")) else None


def _time(value: object) -> str | None:
    unix = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(unix, int) or isinstance(unix, bool) or not 0 < unix <= _LATEST:
        return None
    return datetime.fromtimestamp(unix, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
