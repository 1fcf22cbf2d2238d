"""What a person asks of a BundleWatch: the models of `spec`.

The CRD is generated from here, so every docstring of a field is what `kubectl explain` prints, every bound is
what the API server enforces, and no field exists that does nothing. What only the registry, Argo CD or the
compilers of patterns and ranges can judge is not judged here but reported in status.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass

from bundlewatch.api import duration, grammar, rules
from bundlewatch.api.access import Access
from bundlewatch.api.fields import EmptyIsAbsent, Ruled, lasting
from bundlewatch.api.gates import Gates
from bundlewatch.api.model import config
from bundlewatch.api.rollout import Rollout
from bundlewatch.api.tags import Tags

_ApplicationName = Annotated[str, Ruled(253, grammar.APPLICATION_NAME)]
_LabelValue = Annotated[str, Ruled(63, grammar.LABEL_VALUE)]
_Repository = Annotated[str, Ruled(255, grammar.REPOSITORY)]
_Interval = Annotated[str, lasting(grammar.INTERVAL, grammar.FLOOR, grammar.CEILING)]
_Tag = Annotated[str, Ruled(128, grammar.PIN)]
_Source = Annotated[
    int | str,
    PlainValidator(grammar.SOURCE.check),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": grammar.SOURCE_NAME_MAX_LENGTH,
            **rules.schema(grammar.SOURCE),
        }
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True, config=config({"x-kubernetes-map-type": "atomic"}))
class LabelSelector:
    """Applications by their labels."""

    match_labels: Annotated[
        dict[str, _LabelValue],
        Field(max_length=16, json_schema_extra=rules.schema(grammar.LABEL_KEYS)),
        AfterValidator(grammar.LABEL_KEYS.check),
    ] = Field(default_factory=dict)
    """
    Labels that an Application must carry, each with exactly this value. Left out or empty: every
    Application of the namespace that deploys from this repository. Example: {team: web}
    """

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels.items())


_NAME_OR_SELECTOR: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition="has(self.name) != has(self.selector)",
    message=(
        "needs exactly one of name and selector: name for one Application, selector for all that carry its "
        "labels, selector: {} for every Application of the namespace that deploys from this repository"
    ),
    holds=lambda target: ("name" in target) != ("selector" in target),
)


@dataclass(frozen=True, slots=True, kw_only=True, config=config(rules.schema(_NAME_OR_SELECTOR)))
class ApplicationTarget:
    """One Argo CD Application by name, or several by labels; exactly one of the two."""

    name: _ApplicationName | None = None
    """Name of an Argo CD Application in the BundleWatch's own namespace. Example: shop"""

    selector: LabelSelector | None = None
    """
    Every Argo CD Application in the BundleWatch's own namespace that carries these labels and deploys
    from this repository, also those made later. `{}` means all that deploy from it. Example:
    {matchLabels: {team: web}}
    """

    source: _Source | None = None
    """
    Which of the Application's sources is meant: the source's name, or its position in spec.sources
    counted from 0. Left out: the one source that deploys from this repository; needed only when there are
    several. Examples: frontend, 1
    """

    wave: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """
    Its place in the order: it is moved once every Application of a lower wave runs the bundle and is healthy with
    it; a release that fails in a wave goes no further. From 0 to 1000. Default: 0
    """

    @model_validator(mode="after")
    def _rules(self) -> "ApplicationTarget":
        return _NAME_OR_SELECTOR.check(self)


def _distinct(targets: Sequence[rules.Fields]) -> bool:
    names = [target["name"] for target in targets if "name" in target]
    return len(names) == len(set(names))


_DISTINCT_NAMES: Final["rules.Rule[Sequence[rules.Fields]]"] = rules.Rule(
    condition="self.all(a, !has(a.name) || self.exists_one(b, has(b.name) && b.name == a.name))",
    message=(
        "names one Application twice: list each name once; a second source of the same Application is moved "
        "by a BundleWatch of its own"
    ),
    holds=_distinct,
)


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Spec:
    """What to watch, which of its tags may be taken, and which Applications get them."""

    repository: _Repository
    """
    OCI repository the bundles are published to: the registry's host, a port if it has one, and the path;
    `oci://` may stand before it. No tag and no digest. The Applications must already deploy from this
    same repository. Example: registry.example.com/shop/bundle
    """

    interval: _Interval = "1m"
    """
    How often to list the repository's tags: numbers with the units s, m or h, from 10s to 24h. To look at
    once, give the annotation bundlewatch.dev/reconcile any new value. Default: 1m. Example: 1h30m
    """

    suspend: bool = False
    """
    true: neither look at the registry nor change an Application, until it is false again. Default: false
    """

    access: Annotated[Access, Field(json_schema_extra={"default": {}})] = Access()
    """How to reach the registry. Left out: without credentials, by HTTPS, trusting the usual authorities."""

    tags: Annotated[Tags, Field(json_schema_extra={"default": {}})] = Tags()
    """Which tags may be taken. Left out: the highest version that is no pre-release."""

    gates: Annotated[Gates, Field(json_schema_extra={"default": {}})] = Gates()
    """What a bundle has to wait for before it may go. Left out: nothing."""

    rollout: Annotated[Rollout, Field(json_schema_extra={"default": {}})] = Rollout()
    """
    How Applications are moved, and what follows when a release fails. Left out: Argo CD syncs, and a release that
    is not healthy in time is taken back.
    """

    applications: Annotated[
        tuple[ApplicationTarget, ...],
        Field(min_length=1, max_length=64, json_schema_extra=rules.schema(_DISTINCT_NAMES)),
        AfterValidator(_DISTINCT_NAMES.check),
    ]
    """
    The Argo CD Applications whose target revision follows; from 1 to 64 entries, each with either a name
    or a selector. Example: [{name: shop}]
    """

    pin: Annotated[_Tag | None, EmptyIsAbsent] = None
    """
    One tag: take exactly this one, whatever `tags` and `gates` say and even if it is older than what runs or was
    quarantined; waves are kept, and it is not taken back if it fails. Left out or empty: the highest version that
    `tags` allows. Example: 1.0.3
    """

    @property
    def interval_s(self) -> float:
        return duration.seconds(self.interval)
