"""Whether the maker of an Application already leaves alone what BundleWatch writes, by the rules in its own body.

ApplicationSets and parent Applications have rules of their own, `ownership.ignore_rule` spells out the one to add.
Here the rules that are there are read. A jq expression is not run: one that speaks of the target revision, or that
picks the sources whole, is taken for the rule it looks like. What has an unexpected shape says nothing; nothing here
ever fails. It does not know what an administrator has set for all of Argo CD.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from bundlewatch.argocd import body
from bundlewatch.argocd.application import Application, Source
from bundlewatch.argocd.ownership import Maker, MakerKind
from bundlewatch.argocd.patch import FIELD_MANAGER

_NEVER_UPDATES = frozenset({"create-only", "create-delete"})
_IN_ITS_SYNCS_TOO = "RespectIgnoreDifferences=true"
# `.spec`, or all of the one source; `.spec.sources`, one of them, or those that a condition picks.
_WHOLE_SOURCE = re.compile(r"\.spec(?:\.source)?")
_WHOLE_SOURCES = re.compile(r"\.spec(?:\.sources(?:\[\d*\])?(?:\|select\(.*\))?)?")
_SPEAKS_OF_SOURCE = re.compile(r"\bsource\b")
_SPEAKS_OF_SOURCES = re.compile(r"\bsources\b")


def leaves_alone(maker_body: object, application: Application, source: Source, *, maker: Maker) -> bool | None:
    """Whether `maker` leaves the target revision of `source` as others set it; None where its body does not tell.

    `maker_body`: the ApplicationSet or the parent Application, as the API server gives it.
    """
    spec = _spec(maker_body)
    if spec is None:
        return None
    if maker.kind is MakerKind.APPLICATION_SET:
        return _never_updates(spec) or any(
            _covers_target_revision(rule, application, source) for rule in _rules_of_the_set(spec, application)
        )
    # Without it the difference is only hidden, and the next sync of the parent overwrites it.
    if _IN_ITS_SYNCS_TOO not in body.sequence(body.mapping(spec.get("syncPolicy")).get("syncOptions")):
        return False
    return any(
        FIELD_MANAGER in body.sequence(rule.get("managedFieldsManagers"))
        or _covers_target_revision(rule, application, source)
        for rule in _rules_of_the_parent(spec, application)
    )


def keeps_annotations(
    maker_body: object, application: Application, keys: Iterable[str], *, maker: Maker
) -> bool | None:
    """Whether `maker` keeps annotations of these keys that others give; None where its body does not tell.

    An ApplicationSet removes what it was not told to preserve; a parent only restores what it has set itself.
    """
    if maker.kind is MakerKind.PARENT_APPLICATION:
        return True
    spec = _spec(maker_body)
    if spec is None:
        return None
    preserved = body.sequence(body.mapping(spec.get("preservedFields")).get("annotations"))
    rules = list(_rules_of_the_set(spec, application))
    return _never_updates(spec) or all(
        key in preserved
        or any(_points_at(["metadata", "annotations", key], rule) or _picks_all_annotations(rule) for rule in rules)
        for key in keys
    )


def _spec(maker_body: object) -> Mapping[str, object] | None:
    spec = body.mapping(maker_body).get("spec")
    return spec if isinstance(spec, Mapping) else None


def _never_updates(spec: Mapping[str, object]) -> bool:
    return body.text(body.mapping(spec.get("syncPolicy")).get("applicationsSync")) in _NEVER_UPDATES


def _rules_of_the_set(spec: Mapping[str, object], application: Application) -> Iterable[Mapping[str, object]]:
    for rule in map(body.mapping, body.sequence(spec.get("ignoreApplicationDifferences"))):
        if body.text(rule.get("name")) in {"", application.name}:
            yield rule


def _rules_of_the_parent(spec: Mapping[str, object], application: Application) -> Iterable[Mapping[str, object]]:
    for rule in map(body.mapping, body.sequence(spec.get("ignoreDifferences"))):
        if (
            fnmatchcase("argoproj.io", body.text(rule.get("group")))
            and fnmatchcase("Application", body.text(rule.get("kind")))
            and body.text(rule.get("name")) in {"", application.name}
            and body.text(rule.get("namespace")) in {"", application.namespace}
        ):
            yield rule


def _covers_target_revision(rule: Mapping[str, object], application: Application, source: Source) -> bool:
    place = ["sources", str(source.index)] if application.multi_source else ["source"]
    return _points_at(["spec", *place, "targetRevision"], rule) or any(
        _picks_target_revision(expression, multi_source=application.multi_source)
        for expression in _texts(rule.get("jqPathExpressions"))
    )


def _points_at(field: Sequence[str], rule: Mapping[str, object]) -> bool:
    """Whether a JSON pointer of the rule is the field, or something that the field is in."""
    for pointer in _texts(rule.get("jsonPointers")):
        root, *steps = pointer.split("/")
        steps = [step.replace("~1", "/").replace("~0", "~") for step in steps]
        if not root and steps and steps == list(field[: len(steps)]):
            return True
    return False


def _picks_target_revision(expression: str, *, multi_source: bool) -> bool:
    compact = "".join(expression.split())
    if (_WHOLE_SOURCES if multi_source else _WHOLE_SOURCE).fullmatch(compact):
        return True
    other, own = (_SPEAKS_OF_SOURCE, _SPEAKS_OF_SOURCES) if multi_source else (_SPEAKS_OF_SOURCES, _SPEAKS_OF_SOURCE)
    # A rule for the one source says nothing of a list, and the other way round.
    return "targetRevision" in compact and not (other.search(compact) and not own.search(compact))


def _picks_all_annotations(rule: Mapping[str, object]) -> bool:
    return any("".join(text.split()) == ".metadata.annotations" for text in _texts(rule.get("jqPathExpressions")))


def _texts(value: object) -> list[str]:
    return [entry for entry in body.sequence(value) if isinstance(entry, str)]
