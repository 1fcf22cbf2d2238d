"""What a scalar of YAML is to kubectl: text, number, true, false or nothing.

kubectl reads YAML 1.1 as go-yaml v2 does: `yes` and `on` are true, `010` is eight, but `1:30` and `2024-01-15`
are text. It then sends JSON, in which 1.0 is the integer 1, and a number of more than 64 bits no integer.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

Scalar = str | int | float | bool | None

_STANDARD: Final = "tag:yaml.org,2002:"
_RESOLVED: Final = frozenset(f"{_STANDARD}{name}" for name in ("bool", "int", "float", "null", "timestamp"))
_BINARY: Final = f"{_STANDARD}binary"

_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_INTEGER: Final = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FRACTION: Final = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)
_LONGEST: Final = 80  # characters; no integer of 64 bits is written with more


def resolved(text: str, *, tag: str | None, plain: bool) -> Scalar:
    """The value of a scalar; `plain`: it has neither quotes nor a tag. Raises ValueError saying what is wrong."""
    if tag == _BINARY:
        try:
            return base64.b64decode(text, validate=True).decode(errors="replace")
        except binascii.Error:
            raise ValueError("!!binary value contains invalid base64 data") from None
    if not (plain or tag in _RESOLVED):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is no number that JSON has")
    return _number(text)


def integer(text: str) -> float:
    """An integer of JSON as it arrives at the API server: no integer any more if it needs more than 64 bits."""
    return int(text) if len(text) < _LONGEST and int(text) in _INT64 else float(text)


def decimal(text: str) -> float:
    """A number of JSON with a fraction or an exponent as it arrives: an integer if it is one."""
    number = float(text)
    if not number.is_integer():
        return number
    whole = int(Decimal(repr(number)))  # it is sent by its shortest digits
    return whole if whole in _INT64 else number


def _number(text: str) -> str | float:
    if not (text[0] in "+-0123456789" or _FRACTION.fullmatch(text)):
        return text
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain) and len(plain) < _LONGEST:
        # Go takes a leading 0 for octal; Python wants to see the o.
        whole = int(re.sub(r"^([-+]?)0([0-7])", r"\g<1>0o\2", plain), 0)
        if whole in _INT64 or whole in _UINT64:
            return integer(str(whole))
    if _FLOAT.fullmatch(plain) and math.isfinite(float(plain)):
        return decimal(plain)
    return text
