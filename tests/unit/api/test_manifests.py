"""Files of manifests are read as kubectl reads them, and every value keeps its line.

What a scalar is was taken from `kubectl create --dry-run=client -o json` of 1.37.
"""

from typing import Any

import pytest

from bundlewatch.api.admission import Document, Unreadable, documents


def read(text: str) -> list[Any]:
    return [document.value for document in documents(text)]


def one(text: str) -> Document:
    (document,) = documents(text)
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("+5", 5),
        ("-0", 0),
        ("010", 8),
        ("08", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("0b12", "0b12"),
        ("1_000", 1000),
        ("1.0", 1),
        ("100.", 100),
        (".5", 0.5),
        (".1_2", 0.12),
        ("._5", "._5"),
        ("1e3", 1000),
        ("1e-7", 1e-7),
        ("1e400", "1e400"),
        ("9" * 400, "9" * 400),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2.0**63),
        ("-9223372036854775809", -(2.0**63)),
        ("0xFFFFFFFFFFFFFFFF", 2.0**64),
        ("0x1FFFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFFFFF"),
        ("1:30", "1:30"),
        ("2024-01-15", "2024-01-15"),
        ("2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
        ("yes", True),
        ("y", True),
        ("Off", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("Null", None),
        ("'1'", "1"),
        ('"yes"', "yes"),
        ("!!str 1", "1"),
        ("!!int '5'", 5),
        ("!!float 1", 1),
        ("!other 1", "1"),
        ("! 1", "1"),
        ("!!binary aGk=", "hi"),
        ("|\n  text\n", "text\n"),
        ("٣", "٣"),
        ("1.2.3", "1.2.3"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_scalar_is_what_kubectl_makes_of_it(text: str, value: object) -> None:
    found = one(f"a: {text}").value

    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


def test_keys_become_text() -> None:
    assert read("{7: a, yes: b, 1.5: c, 010: d}") == [{"7": "a", "true": "b", "1.5": "c", "8": "d"}]


def test_anchors_and_merges_are_resolved_and_the_last_one_wins() -> None:
    assert read("a: &a {x: 1, z: 1}\nb: {<<: *a, x: 2}\nc: {x: 2, <<: *a}\nd: {<<: [{x: 1}, {x: 2, z: 2}]}\ne: *a") == [
        {
            "a": {"x": 1, "z": 1},
            "b": {"x": 2, "z": 1},
            "c": {"x": 1, "z": 1},
            "d": {"x": 1, "z": 2},
            "e": {"x": 1, "z": 1},
        }
    ]


def test_an_anchor_may_be_named_anew_and_ends_with_its_document() -> None:
    assert read("a: &a 1\nb: &a 2\nc: *a") == [{"a": 1, "b": 2, "c": 2}]
    with pytest.raises(Unreadable, match="unknown anchor a referenced"):
        read("a: &a 1\n---\nb: *a")


def test_documents_come_one_by_one_and_empty_ones_not_at_all() -> None:
    assert read("---\n# nothing\n---\na: 1\n---\n---\nnull\n---\n[1]\n") == [{"a": 1}, [1]]
    assert read("") == []


def test_lists_are_taken_apart_at_any_depth() -> None:
    of_one_kind = "{kind: BList, apiVersion: b/v1, items: [{x: 1}, {kind: C}]}"

    assert read(f"kind: List\nitems:\n- kind: A\n- {of_one_kind}\n- {{kind: List, items: null}}\n") == [
        {"kind": "A"},
        {"kind": "B", "apiVersion": "b/v1", "x": 1},
        {"kind": "C"},
        {"kind": "List", "items": None},
    ]


def test_json_is_read_also_where_it_is_no_yaml() -> None:
    text = '{"a": 1.0, "b": "\\ud83d\\ude00\\ud83d", "c": [true, null, 1.5]}\n\n{"a": 12345678901234567890}'

    first, second = documents(text)

    assert first.value == {"a": 1, "b": "😀\ufffd", "c": [True, None, 1.5]}
    assert second.value == {"a": 12345678901234567890.0}
    assert (first.line, second.line) == (1, 3)


def test_every_value_knows_its_line() -> None:
    document = one("\n# a comment\na: 1\nb:\n  - x\n  -\n    c: 2\n    d: &d\n      e: 3\nf: *d\n")

    lines = {
        path: document.line_of(path) for path in [(), ("a",), ("b", 1, "c"), ("b", 1, "d", "e"), ("f",), ("f", "e")]
    }
    assert lines == {(): 3, ("a",): 3, ("b", 1, "c"): 7, ("b", 1, "d", "e"): 9, ("f",): 10, ("f", "e"): 9}


def test_what_is_not_there_is_on_the_line_of_what_should_hold_it() -> None:
    document = one("a: 1\nb:\n  - c: 2\n")

    assert document.line_of(("b", 0, "d")) == 3
    assert document.line_of(("b", 7)) == 2
    assert document.line_of(("x", "y")) == 1


def test_a_key_that_is_there_twice_is_told_with_its_place() -> None:
    document = one("a: 1\nb: {c: 1, c: 2, c: 3}\nd: [{e: 1, e: 2}]\na: 2\n")

    assert [(found.text, document.line_of(found.path)) for found in document.repetitions()] == [
        ('strict decoding error: duplicate field "a"', 4),
        ('strict decoding error: duplicate field "b.c"', 2),
        ('strict decoding error: duplicate field "d[0].e"', 3),
    ]


def test_in_json_too() -> None:
    (document,) = documents('{"a": "\\ud83d\\ude00", "a": {"b": 1, "b": 1}}')

    assert [found.text for found in document.repetitions()] == [
        'strict decoding error: duplicate field "a"',
        'strict decoding error: duplicate field "a.b"',
    ]


def test_what_is_merged_over_is_no_repetition() -> None:
    assert list(one("a: &a {x: 1}\nb: {<<: *a, x: 2}").repetitions()) == []


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("a: [1\nb: 2\n", "is no YAML: did not find expected ',' or ']'", 2),
        ("a:\n\tb: 1", "is no YAML: found character that cannot start any token", 2),
        ("a: 1\nb: c: d", "is no YAML: mapping values are not allowed in this context", 2),
        ("a: 1\nb: \x01", "is no YAML: it has characters that cannot be printed", 2),
        ("a: *b", "is no YAML: unknown anchor b referenced", 1),
        ("a: &a [*a]", "is no YAML: unknown anchor a referenced", 1),
        ("a: 1\nb: .inf", "is not understood: .inf is no number that JSON has", 2),
        ("a: !!binary '*'", "is not understood: !!binary value contains invalid base64 data", 1),
        ("a: 1\nnull: 2", "has nothing for a key: put it in quotes", 2),
        ("a: 1\n[b]: 2", "has a map or a list for a key", 2),
        ("a: 1\nb: {<<: 7}", "is not understood: << takes a map or a list of maps", 2),
        ('{"a": 1,\n}x', "is no YAML: did not find expected <document start>", 2),
        ("[" * 3000, "is nested too deeply", 1),
        ("a: 1\nb: {{ .Values.b }}", "is a template, not a manifest: render it first", 2),
        ("a: 1\n{{- if .Values.b }}\nb: 2\n{{- end }}", "is a template, not a manifest: render it first", 3),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, says: str, line: int) -> None:
    with pytest.raises(Unreadable) as caught:
        read(text)

    assert str(caught.value).startswith(says)
    assert caught.value.line == line


def test_what_comes_before_the_mistake_was_read() -> None:
    found = documents("a: 1\n---\nb: [\n")

    assert next(found).value == {"a": 1}
    with pytest.raises(Unreadable):
        next(found)


def test_aliases_of_aliases_are_refused_before_they_grow() -> None:
    layers = [f"a{layer}: &a{layer} [{', '.join([f'*a{layer - 1}'] * 10)}]" for layer in range(1, 12)]

    with pytest.raises(Unreadable, match="has too many aliases of aliases"):
        read("\n".join(["a0: &a0 [x]", *layers]))
