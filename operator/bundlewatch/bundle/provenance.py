"""Where a bundle comes from, as far as its archive says: commit, its time, pipeline.

werf writes the commit into the chart's default values and CI's links into `extra_annotations.json`; both are in
the chart layer, a gzipped tar. It is read from memory, member by member, up to stated sizes; nothing is unpacked to
a disk, no link is followed, no YAML is loaded, and every string is cleaned. Charts that other tools publish have none
of it, but may have OCI's own annotations on the manifest.
"""

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

import yaml

from bundlewatch.registry.documents import load
from bundlewatch.registry.untrusted import clean

LAYER_LIMIT_BYTES: Final = 8 << 20  # compressed; the usual one has a few tens of KiB
_UNPACKED_LIMIT_BYTES: Final = 32 << 20
_MEMBER_LIMIT_BYTES: Final = 1 << 20
_MEMBERS: Final = 10_000
_TEXT: Final = 200
_LINK: Final = 1000
_LATEST: Final = 253_402_300_799  # the last second of the year 9999
_DEPTH: Final = 100  # of nesting in the values
_DIRECTIVES: Final = 1000

_REVISION: Final = "org.opencontainers.image.revision"
_CREATED: Final = "org.opencontainers.image.created"
_CI_COMMIT: Final = "ci.werf.io/commit"
_PIPELINES: Final = ("gitlab.ci.werf.io/pipeline-url", "github.ci.werf.io/workflow-run-url", "ci.werf.io/pipeline-url")
_PARSER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # only its events are used

_NULLS: Final = ("", "~", "null", "Null", "NULL")
_WERF: Final = ("werf",)
_MIRROR: Final = ("global", "werf")
_HASH: Final = ("commit", "hash")
_UNIX: Final = ("commit", "date", "unix")
_LEVELS: Final = len((*_MIRROR, *_UNIX))  # nothing that lies deeper is kept

_Path: TypeAlias = tuple[str, ...]  # keys, from the outermost


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
    values, extra = _read(raw)
    link = next((found for name in _PIPELINES if (found := _link(extra.get(name)))), None)
    return replace(
        known,
        commit=_text(values.get(_HASH)) or known.commit or _text(extra.get(_CI_COMMIT)),
        commit_time=_time(values.get(_UNIX, "")),
        pipeline=link,
        werf=bool(values) or "project.werf.io/name" in extra,
    )


def _read(raw: bytes) -> tuple[Mapping[_Path, str], Mapping[str, object]]:
    """What werf has written into the chart's default values, and its annotations; of what is malformed, nothing."""
    found: dict[str, bytes] = {}
    values: Mapping[_Path, str] = {}
    extra: Mapping[str, object] = {}
    # The parsers of four formats meet bytes that anybody may have made up: what all they can raise, nobody knows.
    with suppress(Exception), gzip.GzipFile(fileobj=io.BytesIO(raw)) as unpacked:
        for name, content in _files(unpacked.read(_UNPACKED_LIMIT_BYTES)):
            if name.count("/") == 1:
                found.setdefault(name.partition("/")[2], content)
    with suppress(Exception):
        values = _of_werf(found.get("values.yaml", b""))
    with suppress(Exception):
        extra = _mapping(load(found.get("extra_annotations.json", b"{}")))
    return values, extra


def _files(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """The regular files of a tar, each with its content. Raises tarfile's HeaderError where it ends, well or not.

    Extensions are passed over: the names that are looked for need none, and tarfile's own reader can be kept busy
    with them for hours (CVE-2024-6232).
    """
    at = 0
    for _ in range(_MEMBERS):
        header = tarfile.TarInfo.frombuf(archive[at : at + tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
        at += tarfile.BLOCKSIZE
        end = at + header.size
        if not at <= end <= len(archive):
            return
        if header.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and header.size <= _MEMBER_LIMIT_BYTES:
            yield header.name, archive[at:end]
        at = end + -end % tarfile.BLOCKSIZE


def _of_werf(content: bytes) -> Mapping[_Path, str]:
    """The texts under the key `werf` of a YAML document, by their paths in it; of a list or map an empty one.

    What is missing there is taken from `global.werf`, which werf writes too. Read event by event and never loaded, so
    that no node is made of what a publisher nests, repeats by alias or tags. Raises YAMLError, and ValueError for what
    is made to keep the parser busy.
    """
    if content.count(b"%TAG") > _DIRECTIVES:
        raise ValueError("it has more directives than libyaml reads in a second")  # it compares each to each
    found: dict[_Path, dict[_Path, str]] = {_WERF: {}, _MIRROR: {}}
    opened: list[_Collection] = []
    for event in yaml.parse(content, Loader=_PARSER):
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
        elif isinstance(event, yaml.NodeEvent):
            path = opened[-1].path_of(event) if opened else ()
            if isinstance(event, yaml.CollectionStartEvent):
                opened.append(_Collection(path if isinstance(event, yaml.MappingStartEvent) else None))
                if len(opened) > _DEPTH:
                    raise ValueError("it is nested too deep")
            for root, below in found.items():
                if path is not None and len(path) <= _LEVELS and path[: len(root)] == root != path:
                    below[path[len(root) :]] = _text_of(event)
    return {**found[_MIRROR], **found[_WERF]}


def _text_of(event: yaml.NodeEvent) -> str:
    if not isinstance(event, yaml.ScalarEvent) or (event.implicit[0] and event.value in _NULLS):
        return ""
    return event.value


@dataclass(slots=True)
class _Collection:
    """One that is not yet at its end. `path`: of a mapping; None where nothing in it can be of interest."""

    path: _Path | None
    _key: str | None = None
    _is_at_key: bool = True

    def path_of(self, event: yaml.NodeEvent) -> _Path | None:
        """The path of the node that begins with the event; None of a key, and of all that is in one or in a list."""
        if self.path is None:
            return None
        self._is_at_key, was_at_key = not self._is_at_key, self._is_at_key
        if was_at_key:
            self._key = event.value if isinstance(event, yaml.ScalarEvent) else None
            return None
        return None if self._key is None else (*self.path, self._key)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return (clean(value, _TEXT) or None) if isinstance(value, str) else None


def _link(value: object) -> str | None:
    text = clean(value, _LINK) if isinstance(value, str) else ""
    return text if text.startswith(("https://", "http://")) else None


def _time(unix: str) -> str | None:
    if not (unix.isascii() and unix.isdigit()) or len(unix) > len(str(_LATEST)) or not 0 < int(unix) <= _LATEST:
        return None
    return datetime.fromtimestamp(int(unix), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
