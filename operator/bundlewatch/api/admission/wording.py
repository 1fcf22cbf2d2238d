"""How the API server words a complaint: `field: Kind of mistake: value: what is wrong`.

Knows no schema and no rule. The forms are those of apimachinery's `field.Error`, values are printed as Go does.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

Path = tuple[str | int, ...]
"""The steps from an object's root to a place in it: names of fields, and positions counted from 0."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place in an object: the way to it, and how a message spells it."""

    path: Path = ()
    spelling: str = ""

    def field(self, name: str) -> "Place":
        return Place((*self.path, name), f"{self.spelling}.{name}" if self.path else name)

    def entry(self, key: str) -> "Place":
        """Of a map. The rules spell it so; the schema's own checks take it for a field."""
        return Place((*self.path, key), f"{self.spelling}[{key}]")

    def item(self, position: int) -> "Place":
        return Place((*self.path, position), f"{self.spelling}[{position}]")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong. `blocks`: so wrong that the API server does not look at the rules."""

    path: Path
    text: str
    blocks: bool = False


def required(place: Place, detail: str = "") -> Complaint:
    return _complaint(place, "Required value", detail, blocks=True)


def invalid(place: Place, value: object, detail: str) -> Complaint:
    return _complaint(place, f"Invalid value: {shown(value)}", detail)


def invalid_as_a_whole(place: Place, detail: str) -> Complaint:
    """As of an object or a list, whose value would be too much to print."""
    return _complaint(place, "Invalid value", detail)


def wrong_type(place: Place, *, is_now: str, must_be: str) -> Complaint:
    detail = f'{place.spelling} in body must be of type {must_be}: "{is_now}"'
    return _complaint(place, f'Invalid value: "{is_now}"', detail, blocks=True)


def no_integer(place: Place) -> Complaint:
    """Said besides, and of no field."""
    text = f'Invalid value: "": Checked value must be of type integer (default format) in {place.spelling}'
    return Complaint(place.path, f"<nil>: {text}")


def too_long(place: Place, *, most: int) -> Complaint:
    """It says bytes and counts characters; so does the API server."""
    return _complaint(place, "Too long", f"may not be more than {_counted(most, 'byte')}", blocks=True)


def too_many(place: Place, *, count: int, most: int) -> Complaint:
    return _complaint(place, f"Too many: {count}", f"must have at most {_counted(most, 'item')}", blocks=True)


def unsupported(place: Place, value: object, *, supported: Sequence[object]) -> Complaint:
    values = ", ".join(quoted(text if isinstance(text, str) else _json(text)) for text in supported)
    return _complaint(place, f"Unsupported value: {shown(value)}", f"supported values: {values}", blocks=True)


def duplicate(place: Place, value: object) -> Complaint:
    return _complaint(place, f"Duplicate value: {shown(value)}")


def undecodable(path: Path, reason: str) -> Complaint:
    """Strict decoding refuses it before anything else is looked at."""
    return Complaint(path, f"strict decoding error: {reason}", blocks=True)


RULES_NOT_CHECKED: Final = Complaint(
    (),
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def shown(value: object) -> str:
    """A value of JSON as an error of the API server shows it."""
    match value:
        case str():
            return quoted(value)
        case float():
            return number(value)
        case _:
            return _json(value)


_ESCAPES: Final[Mapping[str, str]] = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    '"': r"\"",
    "\\": r"\\",
}


def quoted(text: str) -> str:
    """`text` as Go's %q prints it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def number(value: float, *, smallest: int = -4, largest: int = 5) -> str:
    """`value` as Go's %v prints it: the shortest digits, with an exponent outside of these powers of ten."""
    exact = Decimal(repr(value)).normalize()
    sign, digits, exponent = exact.as_tuple()
    power = len(digits) + int(exponent) - 1
    if smallest <= power <= largest:
        return format(exact, "f")
    figures = "".join(map(str, digits))
    fraction = f".{figures[1:]}" if len(figures) > 1 else ""
    return f"{'-' * sign}{figures[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02}"


def _escaped(character: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json(value: object) -> str:
    """As Go's encoder writes it."""
    match value:
        case dict():
            return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
        case float():
            return number(value, smallest=-6, largest=20).replace("e-0", "e-")
        case _:
            text = json.dumps(value, ensure_ascii=False)
            for character in "<>&\u2028\u2029":  # so that it can be put into HTML
                text = text.replace(character, f"\\u{ord(character):04x}")
            return text


def _complaint(place: Place, kind: str, detail: str = "", *, blocks: bool = False) -> Complaint:
    text = ": ".join(part for part in (place.spelling, kind, detail) if part)
    return Complaint(place.path, text, blocks)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
