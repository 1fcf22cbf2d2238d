"""What the API server would refuse a BundleWatch for, all of it, in its words.

The steps are its own, and each ends the matter if it finds something: is it a BundleWatch, does its metadata
decode, does it have fields that there are not. Then the object gets its defaults and everything else is told
at once, but for the rules: they are looked at only where types, bounds and required fields are in order.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, cast

from bundlewatch.api.admission import metadata, object_meta, structure, wording
from bundlewatch.api.admission.wording import Complaint, Path, Place
from bundlewatch.api.crd import schema
from bundlewatch.api.rules import twin
from bundlewatch.api.structural import Schema
from bundlewatch.api.v1alpha1 import API_VERSION, GROUP, KIND

_META_FIELDS: Final = ("apiVersion", "kind", "metadata")


def is_meant(manifest: object) -> bool:
    """Whether somebody meant this to be a BundleWatch, by its kind or by its API group."""
    if not isinstance(manifest, Mapping):
        return False
    group = manifest.get("apiVersion")
    return manifest.get("kind") == KIND or (isinstance(group, str) and group.partition("/")[0] == GROUP)


def complaints(manifest: Mapping[str, object]) -> tuple[Complaint, ...]:
    """Everything that is wrong with a manifest that is meant to be a BundleWatch; empty: it would be taken."""
    return tuple(dict.fromkeys(_complaints(manifest)))


def stored(manifest: Mapping[str, object]) -> dict[str, object]:
    """What would be stored of a manifest that is taken: without nulls, with the defaults, without a status."""
    body = {key: value for key, value in manifest.items() if key not in {"metadata", "status"}}
    return {"metadata": manifest.get("metadata")} | cast("dict[str, object]", structure.defaulted(body, _schema()))


def _complaints(manifest: Mapping[str, object]) -> Iterator[Complaint]:
    wrong = _wrong_kind(manifest) or object_meta.malformed(manifest.get("metadata"))
    if wrong is not None:
        yield wrong
        return
    body = {key: value for key, value in manifest.items() if key not in _META_FIELDS}
    unknown = [*object_meta.unknown_fields(manifest.get("metadata")), *structure.unknown_fields(body, _schema())]
    if unknown:
        for place in unknown:
            yield wording.undecodable(place.path, f'unknown field "{place.spelling}"')
        return
    taken = stored(manifest)
    del taken["metadata"]  # which has its own checks
    found = [
        *metadata.mistakes(cast("Mapping[str, object]", manifest.get("metadata") or {})),
        *structure.mistakes(taken, _schema()),
        *structure.repetitions(taken, _schema()),
    ]
    yield from found
    if any(complaint.blocks for complaint in found):
        yield wording.RULES_NOT_CHECKED
    else:
        yield from _broken_rules(taken, _schema(), Place())


def _wrong_kind(manifest: Mapping[str, object]) -> Complaint | None:
    for field, right in (("apiVersion", API_VERSION), ("kind", KIND)):
        path: Path = (field,)
        match manifest.get(field):
            case None:
                return Complaint((), f"{field} not set: write {field}: {right}")
            case str():
                pass
            case _:
                return Complaint(path, f"{field} isn't string type: write {field}: {right}")
    version, kind = manifest["apiVersion"], manifest["kind"]
    wrong = "apiVersion" if version != API_VERSION else "kind" if kind != KIND else None
    if wrong is None:
        return None
    cure = f"apiVersion: {API_VERSION} and kind: {KIND}"
    return Complaint((wrong,), f'no matches for kind "{kind}" in version "{version}": write {cure}')


def _broken_rules(value: object, schema: Schema, place: Place) -> Iterator[Complaint]:
    validations = schema.get("x-kubernetes-validations")
    for validation in validations if isinstance(validations, list) else ():
        message = twin(validation).broken_by(value)
        if message is None:
            continue
        if isinstance(value, (dict, list)):
            yield wording.invalid_as_a_whole(place, message)
        else:
            yield wording.invalid(place, value, message)
    for inner, beneath, where in structure.parts(value, schema, place):
        yield from _broken_rules(inner, beneath, where)


@cache
def _schema() -> Schema:
    return schema()
