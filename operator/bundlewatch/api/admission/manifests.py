"""Files of manifests, read as kubectl reads them: YAML or JSON, many documents, lists of objects.

Every value keeps the line it stands on, so that a complaint can name it. Stricter than kubectl in one thing: a
key that is there twice is told, where kubectl lets the last one win in silence.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import yaml

from bundlewatch.api.admission import wording
from bundlewatch.api.admission.scalars import Scalar, decimal, integer, resolved
from bundlewatch.api.admission.wording import Complaint, Path, Place

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built

_TEMPLATE: Final = "is a template, not a manifest: render it first, as by helm template … | bundlewatch validate -f -"

_IDENTITY: Final = frozenset({"apiVersion", "kind"})

_ALIASING_FREE: Final = 1_000  # values; a document of so few may be all aliases
_ALIASING_TIMES: Final = 100


class Unreadable(Exception):
    """A text is neither YAML nor JSON; the message says why, `line` where, counted from 1."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class _Node:
    """A value and its line, which is that of its key where it has one."""

    value: "Scalar | list[_Node] | dict[str, _Node]"
    line: int
    size: int = 1  # values in it, itself and what stands behind aliases included
    repeated: tuple[str, ...] = ()  # keys that are there more than once


@dataclass(frozen=True, slots=True)
class Document:
    """One object, or whatever else a document holds."""

    value: object
    line: int
    node: _Node = field(repr=False)

    def line_of(self, path: Path) -> int:
        """The line of the value at the end of `path`, or of the last one on the way that is there."""
        node, line = self.node, self.line
        for step in path:
            match node.value:
                case dict() if step in node.value:
                    node = node.value[str(step)]
                case list() if isinstance(step, int) and step < len(node.value):
                    node = node.value[step]
                case _:
                    break
            line = node.line
        return line

    def repetitions(self) -> Iterator[Complaint]:
        """The fields that are there more than once, in the words in which the API server refuses them."""
        return _repetitions(self.node, Place())


def documents(text: str) -> Iterator[Document]:
    """What a text holds, the objects of lists one by one, without what is empty. Raises Unreadable."""
    try:
        for node in _nodes(text):
            yield from _objects(node)
    except RecursionError:
        raise Unreadable("is nested too deeply", line=1) from None
    except Unreadable as error:
        if "{{" in text:
            raise Unreadable(f"{_TEMPLATE}; as it stands it {error}", line=error.line) from None
        raise


def _objects(node: _Node) -> Iterator[Document]:
    if node.value is None:
        return
    fields = node.value if isinstance(node.value, dict) else {}
    kind, items = (fields[key].value if key in fields else None for key in ("kind", "items"))
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield Document(_plain(node), node.line, node)
        return
    # Of a list of one kind the entries need not say which.
    implied = {} if kind == "List" else fields | {"kind": replace(fields["kind"], value=kind.removesuffix("List"))}
    for item in items:
        yield from _objects(_named(item, implied))


def _named(item: _Node, implied: Mapping[str, _Node]) -> _Node:
    if not isinstance(item.value, dict) or _IDENTITY & item.value.keys():
        return item
    return replace(item, value={key: implied[key] for key in _IDENTITY & implied.keys()} | item.value)


def _plain(node: _Node) -> object:
    match node.value:
        case dict():
            return {key: _plain(inner) for key, inner in node.value.items()}
        case list():
            return [_plain(inner) for inner in node.value]
        case _:
            return node.value


def _repetitions(node: _Node, place: Place) -> Iterator[Complaint]:
    for key in node.repeated:
        again = place.field(key)
        yield wording.undecodable(again.path, f'duplicate field "{again.spelling}"')
    match node.value:
        case dict():
            for key, inner in node.value.items():
                yield from _repetitions(inner, place.field(key))
        case list():
            for position, inner in enumerate(node.value):
                yield from _repetitions(inner, place.item(position))


def _nodes(text: str) -> Iterator[_Node]:
    if not text.lstrip().startswith("{"):
        yield from _yaml(text)
        return
    try:
        yield from list(_yaml(text))  # most JSON is YAML, and so has lines
    except Unreadable:
        found = _json(text)
        if found is None:
            raise
        yield from found


# YAML


def _yaml(text: str) -> Iterator[_Node]:
    events = yaml.parse(text, Loader=_LOADER)
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield _Reader(events).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"is no YAML: {error.problem}", line=mark.line + 1 if mark else 1) from None
    except yaml.YAMLError:
        found = yaml.reader.Reader.NON_PRINTABLE.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        raise Unreadable(
            "is no YAML: it has characters that cannot be printed; write them as \\xNN", line=line
        ) from None


class _Reader:
    """Makes the value of one document; its anchors do not outlive it."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Node] = {}
        self._made = 0

    def read(self) -> _Node:
        node = self._value(next(self._events))
        if node.size > max(_ALIASING_FREE, _ALIASING_TIMES * self._made):
            raise Unreadable("has too many aliases of aliases", line=node.line)
        return node

    def _value(self, event: yaml.Event) -> _Node:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise Unreadable(f"is no YAML: unknown anchor {event.anchor} referenced", line=line)
            return replace(self._anchors[event.anchor], line=line)
        self._made += 1
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(_scalar(event), line)
        elif isinstance(event, yaml.SequenceStartEvent):
            entries = list(self._entries())
            node = _Node(entries, line, 1 + sum(entry.size for entry in entries))
        else:
            node = self._mapping(line)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _entries(self) -> Iterator[_Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._value(event)

    def _mapping(self, line: int) -> _Node:
        fields: dict[str, _Node] = {}
        written: set[str] = set()
        repeated: list[str] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                _merge(fields, self._value(next(self._events)))
                continue
            key = _key(self._value(event))
            if key in written:
                repeated.append(key)
            written.add(key)
            fields[key] = replace(self._value(next(self._events)), line=_line(event))
        size = 1 + sum(inner.size for inner in fields.values())
        return _Node(fields, line, size, tuple(dict.fromkeys(repeated)))


def _scalar(event: yaml.ScalarEvent) -> Scalar:
    try:
        return resolved(event.value, tag=event.tag, plain=event.implicit[0] and event.tag is None)
    except ValueError as error:
        raise Unreadable(f"is not understood: {error}", line=_line(event)) from None


def _key(node: _Node) -> str:
    match node.value:
        case str(text):
            return text
        case bool(word):
            return str(word).lower()
        case int(number):
            return str(number)
        case float(number):
            return wording.number(number)
        case None:
            raise Unreadable("has nothing for a key: put it in quotes, or give the field a name", line=node.line)
        case _:
            raise Unreadable("has a map or a list for a key: put it in quotes", line=node.line)


def _merge(fields: dict[str, _Node], node: _Node) -> None:
    match node.value:
        case dict(more):
            fields.update(more)
        case list(several) if all(isinstance(entry.value, dict) for entry in several):
            for entry in reversed(several):
                _merge(fields, entry)
        case _:
            raise Unreadable("is not understood: << takes a map or a list of maps", line=node.line)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


# JSON


class _Pairs(list[tuple[str, object]]):
    """An object of JSON with each of its keys, however often it is there."""


def _json(text: str) -> list[_Node] | None:
    """The objects of a text that is one after the other; None: it is no JSON."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=integer, parse_float=decimal)
    nodes: list[_Node] = []
    end = 0
    while rest := text[end:].lstrip():
        start = len(text) - len(rest)
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError:
            return None
        nodes.append(_of_json(value, text.count("\n", 0, start) + 1))
    return nodes


def _of_json(value: object, line: int) -> _Node:
    match value:
        case _Pairs():
            fields = {_clean(key): _of_json(inner, line) for key, inner in value}
            keys = [_clean(key) for key, _ in value]
            return _Node(fields, line, repeated=tuple(key for key in fields if keys.count(key) > 1))
        case list():
            return _Node([_of_json(entry, line) for entry in value], line)
        case str():
            return _Node(_clean(value), line)
        case bool() | int() | float():
            return _Node(value, line)
        case _:
            return _Node(None, line)


def _clean(text: str) -> str:
    """Half a surrogate pair is no character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
