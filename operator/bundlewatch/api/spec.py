"""What a person asks of a BundleWatch: the models of `spec`.

The CRD is generated from here, so every docstring of a field is what `kubectl explain` prints, every bound is
what the API server enforces, and no field exists that does nothing. What only the registry, Argo CD or the
compilers of patterns and ranges can judge is not judged here but reported in status.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass

from bundlewatch.api import duration, grammar, rules
from bundlewatch.api.model import config


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


_EmptyIsAbsent: Final = BeforeValidator(_absent_if_empty)
"""Templates write '' for "not set"; it means the same here."""

_ObjectName = Annotated[
    str,
    Field(max_length=253, json_schema_extra=rules.schema(grammar.OBJECT_NAME)),
    AfterValidator(grammar.OBJECT_NAME.check),
]
_ApplicationName = Annotated[
    str,
    Field(max_length=253, json_schema_extra=rules.schema(grammar.APPLICATION_NAME)),
    AfterValidator(grammar.APPLICATION_NAME.check),
]
_LabelValue = Annotated[
    str,
    Field(max_length=63, json_schema_extra=rules.schema(grammar.LABEL_VALUE)),
    AfterValidator(grammar.LABEL_VALUE.check),
]
_Repository = Annotated[
    str,
    Field(max_length=255, json_schema_extra=rules.schema(grammar.REPOSITORY)),
    AfterValidator(grammar.REPOSITORY.check),
]
_Interval = Annotated[
    str,
    Field(
        max_length=duration.MAX_LENGTH,
        json_schema_extra=rules.schema(grammar.INTERVAL, grammar.FLOOR, grammar.CEILING),
    ),
    AfterValidator(grammar.INTERVAL.check),
    AfterValidator(grammar.FLOOR.check),
    AfterValidator(grammar.CEILING.check),
]
_Tag = Annotated[
    str,
    Field(max_length=128, json_schema_extra=rules.schema(grammar.PIN)),
    AfterValidator(grammar.PIN.check),
]
_Expression = Annotated[str, Field(max_length=512)]
_Glob = Annotated[str, Field(min_length=1, max_length=256)]
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
class SecretReference:
    """A Secret in the BundleWatch's own namespace."""

    name: _ObjectName
    """Name of the Secret."""


_TRUST_OR_PLAIN: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition="!(has(self.caSecretRef) && has(self.insecure) && self.insecure)",
    message=(
        "has both caSecretRef and insecure: true, but plain HTTP has no certificate to check: "
        "remove insecure for HTTPS, or caSecretRef for plain HTTP"
    ),
    holds=lambda access: not ("caSecretRef" in access and access.get("insecure")),
)

_IS_GENERIC: Final = "!has(self.provider) || self.provider == 'generic'"


def _is_generic(access: rules.Fields) -> bool:
    return access.get("provider", "generic") == "generic"


_CLOUD_ALONE: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=(
        f"{_IS_GENERIC} || !has(self.secretRef) && !has(self.serviceAccountName) "
        "&& (!has(self.fromArgoCD) || !self.fromArgoCD)"
    ),
    message=(
        "has a cloud as provider and other credentials too: remove secretRef, serviceAccountName and fromArgoCD to "
        "use the operator's identity in that cloud, or provider to use the others"
    ),
    holds=lambda access: (
        _is_generic(access) or not ("secretRef" in access or "serviceAccountName" in access or access.get("fromArgoCD"))
    ),
)

_CLOUD_BY_TLS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=f"{_IS_GENERIC} || !has(self.insecure) || !self.insecure",
    message=(
        "has a cloud as provider and insecure: true, but a cloud's registry is never reached by plain HTTP, where "
        "everybody in between could read the login: remove insecure"
    ),
    holds=lambda access: _is_generic(access) or not access.get("insecure"),
)


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=config(rules.schema(_TRUST_OR_PLAIN, _CLOUD_ALONE, _CLOUD_BY_TLS)),
)
class Access:
    """How to reach the registry."""

    secret_ref: SecretReference | None = None
    """
    Secret with the registry's credentials, of type kubernetes.io/dockerconfigjson (what `kubectl create
    secret docker-registry` makes), kubernetes.io/dockercfg or kubernetes.io/basic-auth, or Opaque with the
    keys username and password. Left out: the other sources here; none at all: the operator's own Docker
    configuration if it has one, else anonymous. Example: {name: regcred}
    """

    service_account_name: _ObjectName | None = None
    """
    ServiceAccount in the BundleWatch's own namespace whose imagePullSecrets are used: the first with an
    entry for this repository. Asked after secretRef. Example: default
    """

    from_argo_cd: bool = False
    """
    true: use the login that Argo CD itself has for this repository, from its Secrets of type repository or
    repo-creds in the BundleWatch's own namespace, which must be Argo CD's. It is sent to that Secret's own
    address only. Asked after secretRef and serviceAccountName. The operator must be allowed to list Secrets
    there (deploy/argocd-secrets). Default: false
    """

    provider: Literal["generic", "aws", "gcp", "azure"] = "generic"
    """
    Whose identity opens the registry. aws, gcp, azure: the operator's own in that cloud, by workload
    identity or its node's; for ECR, Artifact Registry and Azure Container Registry, without any Secret.
    generic: none, credentials are looked for in the other fields. Default: generic
    """

    ca_secret_ref: SecretReference | None = None
    """
    Secret whose key ca.crt holds certificate authorities (PEM) to trust for this registry, besides the
    usual ones, and whose keys tls.crt and tls.key hold a client certificate and its private key (PEM) for a
    registry that wants one. ca.crt, or tls.crt and tls.key, or all three. Left out: the usual authorities
    alone, and no client certificate. Not together with `insecure: true`. Example: {name: registry-ca}
    """

    insecure: bool = False
    """
    true: talk plain HTTP to the registry; whoever sits between can choose what is deployed. Meant for a
    registry inside the cluster or on a laptop. Default: false, HTTPS only.
    """

    @model_validator(mode="after")
    def _rules(self) -> "Access":
        for rule in (_TRUST_OR_PLAIN, _CLOUD_ALONE, _CLOUD_BY_TLS):
            rule.check(self)
        return self


_VERSIONED: Final = ("semver", "calver")
# The API server tries the rules on the default of `tags` before the fields in it have theirs.
_IS_VERSIONED: Final = "!has(self.order) || self.order in ['semver', 'calver']"


def _is_versioned(tags: rules.Fields) -> bool:
    return tags.get("order", "semver") in _VERSIONED


_SEMVER_ASCENDS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition="has(self.order) && self.order != 'semver' || !has(self.direction) || self.direction != 'Descending'",
    message=(
        "has direction: Descending with order: semver, but the newer of two versions is the higher one: remove "
        "direction; to stay low, use range"
    ),
    holds=lambda tags: tags.get("order", "semver") != "semver" or tags.get("direction") != "Descending",
)

_RANGE_OF_VERSIONS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=f"{_IS_VERSIONED} || !has(self.range) || self.range == ''",
    message="has a range, which only order: semver and calver know: remove range, or leave tags out by exclude",
    holds=lambda tags: _is_versioned(tags) or not tags.get("range"),
)

_PRERELEASES_OF_VERSIONS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=f"{_IS_VERSIONED} || !has(self.prereleases) || !self.prereleases",
    message="has prereleases: true, which only order: semver and calver know: remove prereleases",
    holds=lambda tags: _is_versioned(tags) or not tags.get("prereleases"),
)


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=config(rules.schema(_SEMVER_ASCENDS, _RANGE_OF_VERSIONS, _PRERELEASES_OF_VERSIONS)),
)
class Tags:
    """Which tags of the repository may be taken; the newest of them is."""

    pattern: Annotated[_Expression | None, _EmptyIsAbsent] = None
    """
    RE2 expression that a tag has to match; anchor it with ^ and $. If it has a group named `version`,
    only that part of the tag is read and compared, else the whole tag. Left out or empty: every tag
    that reads in this order. Example: '^v(?P<version>.+)$'
    """

    exclude: Annotated[tuple[_Glob, ...], Field(max_length=64)] = ()
    """
    Tags never to be taken, as globs on the whole tag: * stands for any characters, ? for one, [abc] for
    one of these. Left out: none. Example: ['1.0.13', '*-debug']
    """

    order: Literal["semver", "calver", "numerical", "alphabetical"] = "semver"
    """
    How tags are read and compared. semver: versions, as Helm reads them; calver: versions that begin with a
    date, such as 2024.01.15, 24.04 or 20240115; numerical: numbers; alphabetical: text, in the order of
    ASCII. Default: semver
    """

    direction: Literal["Ascending", "Descending"] = "Ascending"
    """
    Ascending: the highest is the newest. Descending: the lowest is, not for semver. Default: Ascending
    """

    range: Annotated[_Expression | None, _EmptyIsAbsent] = None
    """
    Versions that may be taken, in the language of Helm's version ranges: '~1.0' (1.0.x), '^1.2' (1.x from
    1.2), '>=1.2 <2', '1.x || 3.x'; of calver the first three numbers: '2024.x', '>=24.04 <24.10'. Left out
    or empty: every version. Only for order semver and calver. Example: '~1.0'
    """

    prereleases: bool = False
    """
    Whether pre-releases such as 1.1.0-rc.1 may be taken. true: yes, in the order of versions. Default:
    false, Helm's rule: only where the range itself names a pre-release, as '>=1.1.0-0' does. Only for order
    semver and calver.
    """

    @model_validator(mode="after")
    def _rules(self) -> "Tags":
        for rule in (_SEMVER_ASCENDS, _RANGE_OF_VERSIONS, _PRERELEASES_OF_VERSIONS):
            rule.check(self)
        return self


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

    @model_validator(mode="after")
    def _rules(self) -> "ApplicationTarget":
        return _NAME_OR_SELECTOR.check(self)


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Rollout:
    """How Applications are moved."""

    allow_downgrade: bool = False
    """
    true: what `tags` chooses is set also where something newer runs, or something of which that cannot be
    told. Meant for going back by a narrower range; to go back to one certain tag, use pin. Default: false
    """


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

    rollout: Annotated[Rollout, Field(json_schema_extra={"default": {}})] = Rollout()
    """How Applications are moved. Left out: never to something older than what runs."""

    applications: Annotated[
        tuple[ApplicationTarget, ...],
        Field(min_length=1, max_length=64, json_schema_extra=rules.schema(_DISTINCT_NAMES)),
        AfterValidator(_DISTINCT_NAMES.check),
    ]
    """
    The Argo CD Applications whose target revision follows; from 1 to 64 entries, each with either a name
    or a selector. Example: [{name: shop}]
    """

    pin: Annotated[_Tag | None, _EmptyIsAbsent] = None
    """
    One tag: take exactly this one, whatever `tags` says and even if it is older than what runs. Left out
    or empty: the highest version that `tags` allows. Example: 1.0.3
    """

    @property
    def interval_s(self) -> float:
        return duration.seconds(self.interval)
