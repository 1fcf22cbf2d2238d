"""What Kubernetes says of the values in any object's `metadata`: names, labels, annotations, finalizers, owners.

They have the types that they must have (`object_meta`). Of owners only what has to be there is checked, since
nobody writes these by hand.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from bundlewatch.api.admission import wording
from bundlewatch.api.admission.object_meta import METADATA
from bundlewatch.api.admission.wording import Complaint

_ANNOTATIONS_MAX_BYTES: Final = 256 * 1024
_NAME_MAX: Final = 253
_LABEL_MAX_BYTES: Final = 63

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_NO_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_NO_LABEL: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_NO_KEY: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_KEY}')"
)
_NO_VALUE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'({_KEY})?')"
)


def mistakes(metadata: Mapping[str, object]) -> Iterator[Complaint]:
    """What is wrong with them."""
    yield from _names(metadata)
    labels = METADATA.field("labels")
    for key, value in _texts(metadata, "labels").items():
        for problem in _key_problems(key):
            yield wording.invalid(labels, key, problem)
        for problem in _value_problems(value):
            yield wording.invalid(labels, value, problem)
    yield from _annotations(_texts(metadata, "annotations"))
    yield from _finalizers(metadata.get("finalizers"))
    owners = metadata.get("ownerReferences")
    for position, owner in enumerate(owners if isinstance(owners, list) else ()):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not (isinstance(owner, dict) and owner.get(name)):
                where = METADATA.field("ownerReferences").item(position).field(name)
                yield wording.required(where, "must not be empty")


def _names(metadata: Mapping[str, object]) -> Iterator[Complaint]:
    name, prefix, namespace = (_text(metadata, key) for key in ("name", "generateName", "namespace"))
    if prefix:
        where = METADATA.field("generateName")
        if not name:
            yield Complaint(
                where.path, "metadata.generateName: cannot use generate name with apply: write metadata.name"
            )
        # What is generated follows the last character, which so may be a dash.
        for problem in _name_problems(f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix):
            yield wording.invalid(where, prefix, problem)
    elif not name:
        yield wording.required(METADATA.field("name"), "name or generateName is required")
    for problem in _name_problems(name) if name else ():
        yield wording.invalid(METADATA.field("name"), name, problem)
    for problem in _namespace_problems(namespace) if namespace else ():
        yield wording.invalid(METADATA.field("namespace"), namespace, problem)


def _annotations(annotations: Mapping[str, str]) -> Iterator[Complaint]:
    where = METADATA.field("annotations")
    for key in annotations:
        for problem in _key_problems(key.lower()):
            yield wording.invalid(where, key, problem)
    if sum(_bytes(text) for pair in annotations.items() for text in pair) > _ANNOTATIONS_MAX_BYTES:
        yield wording.too_long(where, most=_ANNOTATIONS_MAX_BYTES)


def _finalizers(value: object) -> Iterator[Complaint]:
    finalizers = [entry or "" for entry in value] if isinstance(value, list) else []
    where = METADATA.field("finalizers")
    for finalizer in finalizers:
        for problem in _key_problems(finalizer):
            yield wording.invalid(where, finalizer, problem)
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        yield wording.invalid(where, finalizers, "finalizer orphan and foregroundDeletion cannot be both set")


def _name_problems(name: str) -> Iterator[str]:
    if _bytes(name) > _NAME_MAX:
        yield f"must be no more than {_NAME_MAX} characters"
    if not re.fullmatch(_SUBDOMAIN, name):
        yield _NO_SUBDOMAIN


def _namespace_problems(name: str) -> Iterator[str]:
    if _bytes(name) > _LABEL_MAX_BYTES:
        yield f"must be no more than {_LABEL_MAX_BYTES} characters"
    if not re.fullmatch(_LABEL, name):
        yield "must not contain dots" if re.fullmatch(_SUBDOMAIN, name) else _NO_LABEL


def _key_problems(key: str) -> Iterator[str]:
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        yield f"a valid label key {_NO_KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return
    if slash and not prefix:
        yield "prefix part must be non-empty"
    elif slash:
        if _bytes(prefix) > _NAME_MAX:
            yield f"prefix part must be no more than {_NAME_MAX} bytes"
        if not re.fullmatch(_SUBDOMAIN, prefix):
            yield f"prefix part {_NO_SUBDOMAIN}"
    if not name:
        yield "name part must be non-empty"
    elif _bytes(name) > _LABEL_MAX_BYTES:
        yield f"name part must be no more than {_LABEL_MAX_BYTES} bytes"
    if not re.fullmatch(_KEY, name):
        yield f"name part {_NO_KEY}"


def _value_problems(value: str) -> Iterator[str]:
    if _bytes(value) > _LABEL_MAX_BYTES:
        yield f"must be no more than {_LABEL_MAX_BYTES} bytes"
    if value and not re.fullmatch(_KEY, value):
        yield _NO_VALUE


def _bytes(text: str) -> int:
    return len(text.encode())


def _text(mapping: Mapping[str, object], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


def _texts(mapping: Mapping[str, object], key: str) -> Mapping[str, str]:
    value = mapping.get(key)
    return {name: _text(value, name) for name in value} if isinstance(value, dict) else {}
