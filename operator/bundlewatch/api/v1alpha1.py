"""`bundlewatch.dev/v1alpha1`: the object as one value, and what is still known of an object that is wrong.

Reading is tolerant of what it does not know and exact about the rest: the API server has checked every object
by the same rules, but objects outlive schemas. The raw body is not kept; ten thousand of these are held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypedDict

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from bundlewatch.api import annotations as annotation
from bundlewatch.api.access import Access, SecretReference
from bundlewatch.api.gates import Gates, Upstream, Window
from bundlewatch.api.rollout import Rollout
from bundlewatch.api.rules import ERROR_TYPE
from bundlewatch.api.spec import ApplicationTarget, LabelSelector, Spec
from bundlewatch.api.status import (
    ApplicationStatus,
    Approved,
    Bundle,
    Condition,
    FirstSeen,
    HistoryEntry,
    Quarantined,
    Status,
    Verdict,
)
from bundlewatch.api.tags import Tags
from bundlewatch.api.text import clean
from bundlewatch.errors import InvalidSpec

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PLURAL",
    "SHORT_NAME",
    "SINGULAR",
    "VERSION",
    "Access",
    "ApplicationStatus",
    "ApplicationTarget",
    "Approved",
    "Bundle",
    "BundleWatch",
    "Condition",
    "FirstSeen",
    "Gates",
    "HistoryEntry",
    "Identity",
    "LabelSelector",
    "Quarantined",
    "Rollout",
    "SecretReference",
    "Spec",
    "Status",
    "Tags",
    "Upstream",
    "Verdict",
    "Window",
]

GROUP: Final = "bundlewatch.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "BundleWatch"
PLURAL: Final = "bundlewatches"
SINGULAR: Final = "bundlewatch"
SHORT_NAME: Final = "bw"

_SPEC: Final = TypeAdapter(Spec)
_ERRORS_SHOWN: Final = 3


class _Metadata(TypedDict):
    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    creation_timestamp: str
    annotations: Mapping[str, str]
    deleting: bool
    repository: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which object it is and what it says of itself; known even when its spec cannot be read."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    creation_timestamp: str  # RFC 3339; of two BundleWatches that want one Application the older one wins
    annotations: Mapping[str, str]  # only those that mean something to us
    deleting: bool
    repository: str  # as it was written, right or wrong; empty if it is no text at all
    status: Status

    @classmethod
    def of(cls, body: Mapping[str, object]) -> "Identity":
        """Identity of any live object, however wrong the rest of it is; never raises."""
        return Identity(**_metadata(body))

    def __str__(self) -> str:
        return f"{KIND} {self.namespace}/{self.name}"

    @property
    def reconcile_requested(self) -> str | None:
        """Token of a wish to look now; handled once `status.last_handled_reconcile_at` equals it."""
        return annotation.reconcile_requested(self.annotations)

    @property
    def resume_requested(self) -> str | None:
        """Token of a wish to end a hold; handled once `status.last_handled_resume_at` equals it."""
        return annotation.resume_requested(self.annotations)

    @property
    def retry_requested(self) -> str | None:
        """Token of a wish to lift a quarantine; handled once `status.last_handled_retry_at` equals it."""
        return annotation.retry_requested(self.annotations)

    @property
    def retried_tag(self) -> str | None:
        """The tag whose quarantine that is."""
        return annotation.retried_tag(self.annotations)

    @property
    def approval(self) -> str | None:
        """The tag, or `tag@digest`, that a person has approved; None: nobody has."""
        return annotation.approval(self.annotations)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleWatch(Identity):
    """One BundleWatch as it was read."""

    spec: Spec

    @classmethod
    def parse(cls, body: Mapping[str, object]) -> "BundleWatch":
        """The object of a live body. Raises InvalidSpec naming object, wrong fields and their cures."""
        try:
            spec = _SPEC.validate_python(_mapping(body, "spec"))
        except ValidationError as error:
            metadata = _metadata(body)
            raise InvalidSpec(f"{KIND} {metadata['namespace']}/{metadata['name']}: {_explain(error)}") from None
        return BundleWatch(**_metadata(body), spec=spec)


def _metadata(body: Mapping[str, object]) -> _Metadata:
    metadata = _mapping(body, "metadata")
    generation = metadata.get("generation")
    return _Metadata(
        name=_text(metadata, "name"),
        namespace=_text(metadata, "namespace"),
        uid=_text(metadata, "uid"),
        generation=generation if isinstance(generation, int) else 0,
        resource_version=_text(metadata, "resourceVersion"),
        creation_timestamp=_text(metadata, "creationTimestamp"),
        annotations=annotation.ours(metadata.get("annotations")),
        deleting=bool(metadata.get("deletionTimestamp")),
        repository=_text(_mapping(body, "spec"), "repository"),
        status=Status.parse(body.get("status")),
    )


def _mapping(body: Mapping[str, object], key: str) -> dict[str, object]:
    value = body.get(key)
    return dict(value) if isinstance(value, Mapping) else {}


def _text(mapping: Mapping[str, object], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


_CURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "is missing: set it",
        "string_type": "must be text: put it in quotes",
        "string_too_short": "must not be empty: remove it or fill it in",
        "string_too_long": "is too long: write at most {max_length} characters",
        "bool_type": "must be true or false",
        "literal_error": "must be {expected}",
        "bool_parsing": "must be true or false",
        "int_type": "must be a whole number",
        "greater_than_equal": "is too low: write {ge} or more",
        "less_than_equal": "is too high: write {le} or less",
        "too_short": "has too few entries: give it at least {min_length}",
        "too_long": "has too many entries: give it at most {max_length}",
        "tuple_type": "must be a list: begin each entry with a dash",
        "dict_type": "must be a map: write key: value",
        "dataclass_type": "must be a map of fields: write field: value",
    }
)


def _explain(error: ValidationError) -> str:
    """Field paths and cures of the first few mistakes."""
    mistakes = error.errors(include_url=False, include_input=False)
    # A list with a wrong entry also counts as one entry short; the entry's own mistake says it all.
    places = [mistake["loc"] for mistake in mistakes]
    told = [
        mistake
        for mistake in mistakes
        if not any(
            len(place) > len(mistake["loc"]) and place[: len(mistake["loc"])] == mistake["loc"] for place in places
        )
    ]
    shown = [f"{_path(mistake['loc'])} {_cure(mistake)}" for mistake in told[:_ERRORS_SHOWN]]
    if len(told) > len(shown):
        shown.append(f"and {len(told) - len(shown)} more")
    return clean("; ".join(shown), max_length=1024)


def _path(place: Sequence[int | str]) -> str:
    return "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


def _cure(mistake: ErrorDetails) -> str:
    if mistake["type"] == ERROR_TYPE:
        return mistake["msg"]
    template = _CURES.get(mistake["type"])
    return template.format(**mistake.get("ctx", {})) if template else f"is wrong: {mistake['msg']}"
