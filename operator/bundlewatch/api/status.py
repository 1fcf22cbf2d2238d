"""What BundleWatch says of an object: the models of `status`.

Status is also the operator's memory, so it must always be writable and always be readable: text is cut and
cleaned instead of refused, lists are cut at their bound, every field may be absent, and a status filled with
nonsense is treated as lost. Nothing in it ticks: it changes only when something happened.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.dataclasses import dataclass

from bundlewatch.api.annotations import TOKEN_MAX_LENGTH
from bundlewatch.api.model import config
from bundlewatch.api.text import cleaner, first

VERDICTS_MAX: Final = 10
HISTORY_MAX: Final = 10
APPLICATIONS_MAX: Final = 500
QUARANTINE_MAX: Final = 100
FIRST_SEEN_MAX: Final = 64
APPROVED_MAX: Final = 10
REVERTS_MAX: Final = 3
CONDITIONS_MAX: Final = 16

Truth = Literal["True", "False", "Unknown"]
_Word = Annotated[str, Field(max_length=64), BeforeValidator(cleaner(64))]
_Name = Annotated[str, Field(max_length=253), BeforeValidator(cleaner(253))]
_Tag = Annotated[str, Field(max_length=128), BeforeValidator(cleaner(128))]
_Uid = Annotated[str, Field(max_length=64), BeforeValidator(cleaner(64))]
_Digest = Annotated[str, Field(max_length=256), BeforeValidator(cleaner(256))]
_Revision = Annotated[str, Field(max_length=256), BeforeValidator(cleaner(256))]
_Sentence = Annotated[str, Field(max_length=1024), BeforeValidator(cleaner(1024))]
_Token = Annotated[str, Field(max_length=TOKEN_MAX_LENGTH), BeforeValidator(cleaner(TOKEN_MAX_LENGTH))]
_Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
_Time = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"),
    BeforeValidator(cleaner(64)),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 64}),
]
_Source = Annotated[int | _Tag, WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 128})]


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Condition:
    """One condition, in the meaning that kstatus and `kubectl wait` give it."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Ready always; Reconciling and Stalled only while they are true."""

    status: Truth
    """True, False or Unknown."""

    reason: Annotated[str, Field(max_length=1024), BeforeValidator(cleaner(1024))]
    """Why, as one CamelCase word for programs. Example: UpToDate"""

    message: Annotated[str, Field(max_length=2048), BeforeValidator(cleaner(2048))]
    """Why, as a sentence for people, with the next step where one is needed."""

    last_transition_time: _Time
    """When `status` of this condition last changed."""

    observed_generation: _Generation | None = None
    """Generation of the object that this condition speaks of."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Bundle:
    """One bundle: a Helm chart in the registry, pinned by its digest."""

    tag: _Tag
    """Tag in the repository. Example: 1.0.3"""

    digest: _Digest | None = None
    """Digest of the manifest that the tag named when BundleWatch looked. Example: sha256:4d5b…"""

    version: _Tag | None = None
    """Version of the chart. Example: 1.0.3"""

    chart: _Name | None = None
    """Name of the chart. Example: shop"""

    commit: _Word | None = None
    """Commit that it was built from, where the bundle tells. Example: 4f1c9d2"""

    pipeline: _Sentence | None = None
    """Link to the pipeline that built it, where the bundle tells."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class ApplicationStatus:
    """How far one Application is."""

    name: _Name
    """Name of the Application."""

    uid: _Uid | None = None
    """Its uid, by which an Application made anew under the same name is told from the one before."""

    source: _Source | None = None
    """The source whose target revision follows: its position, counted from 0."""

    current: _Revision | None = None
    """Target revision that the Application has now."""

    previous: _Revision | None = None
    """Target revision that it had before BundleWatch last moved it."""

    target: _Revision | None = None
    """Target revision that BundleWatch wants it to have."""

    phase: _Word | None = None
    """
    Where it is on the way to `target`: Waiting, Syncing, Progressing, Healthy, Degraded, Failed, Suspended or
    OutOfSync; Queued until a lower wave is healthy or a window opens; Held after somebody else changed it, Blocked
    where it must not be changed, or why it cannot be followed at all, such as ApplicationNotFound.
    """

    since: _Time | None = None
    """Since when it is in this phase."""

    moved_at: _Time | None = None
    """When BundleWatch set the target revision that it has now; absent if it did not."""

    deadline: _Time | None = None
    """
    Until when it has to be Synced and Healthy with `target`; there only while a release is under way. It is put off
    by the time that the Application is paused, or waits for a person or for a sync window.
    """

    last_healthy: _Revision | None = None
    """Target revision that this BundleWatch last saw healthy here."""

    fallback: _Revision | None = None
    """Target revision that it goes back to if `target` fails: the one last seen healthy before it was moved."""

    refreshed_at: _Time | None = None
    """When Argo CD was asked to render `target` anew, since it could not; once a release."""

    reverts: Annotated[tuple[_Time, ...], Field(max_length=REVERTS_MAX), BeforeValidator(first(REVERTS_MAX))] = ()
    """When somebody else has put the target revision back after BundleWatch had set it, the last ten minutes."""

    message: _Sentence | None = None
    """What Argo CD says of it, when there is something to say."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Verdict:
    """Why one tag was or was not taken."""

    tag: _Tag
    """The tag."""

    version: _Tag | None = None
    """The version it was read as; absent if it is none."""

    reason: _Word
    """The verdict as one CamelCase word: Chosen, Superseded, OutOfRange, NotAChart and so on."""

    message: _Sentence | None = None
    """The verdict as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class HistoryEntry:
    """One move of the Applications to a bundle."""

    tag: _Tag
    """Tag of the bundle."""

    digest: _Digest | None = None
    """Digest of the bundle."""

    version: _Tag | None = None
    """Version of the chart."""

    time: _Time | None = None
    """When the first Application was moved to it."""

    healthy_since: _Time | None = None
    """Since when all Applications run it and are healthy; with `healthyUntil`, the last time they did."""

    healthy_until: _Time | None = None
    """When that ended; absent while they still are."""

    message: _Sentence | None = None
    """What happened."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Quarantined:
    """A bundle that failed, and goes nowhere any more."""

    tag: _Tag
    """Its tag. The quarantine ends when the tag gets another digest, when something newer is healthy everywhere, or
    by the annotation bundlewatch.dev/retry."""

    digest: _Digest | None = None
    """Its digest; the same bundle under another tag is quarantined, too."""

    reason: _Word
    """Why, as one CamelCase word: Degraded, SyncFailed, CannotRender, TimedOut, Vanished and so on."""

    message: _Sentence | None = None
    """Why, as a sentence, with the Application where it failed and what Argo CD said."""

    since: _Time | None = None
    """When it failed."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class FirstSeen:
    """When a bundle was first seen; kept while spec.gates.minAge asks for it."""

    digest: _Digest
    """Its digest."""

    tag: _Tag
    """The tag under which it was seen."""

    time: _Time
    """When it was first seen."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Approved:
    """A bundle that a person has approved."""

    tag: _Tag
    """Its tag."""

    digest: _Digest
    """The digest that the tag had then; if the tag is pushed anew it has to be approved anew, as tag@digest."""


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Status:
    """What BundleWatch has seen and done; written only when something changed."""

    observed_generation: _Generation | None = None
    """Generation of the object that this status speaks of."""

    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=CONDITIONS_MAX,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
        BeforeValidator(first(CONDITIONS_MAX)),
    ] = ()
    """Ready always; Reconciling and Stalled only while they are true. `kubectl wait` works with them."""

    summary: _Sentence | None = None
    """All of it in one sentence."""

    target: _Sentence | None = None
    """The Applications in short: the first one's name, and how many more there are. Example: shop (+2)"""

    current: Bundle | None = None
    """The bundle that the Applications run."""

    candidate: Bundle | None = None
    """
    The bundle that is chosen: the best one that may be taken. The Applications are on the way to it, wait
    for it, or run it already.
    """

    applications: Annotated[
        tuple[ApplicationStatus, ...],
        Field(max_length=APPLICATIONS_MAX),
        BeforeValidator(first(APPLICATIONS_MAX)),
    ] = ()
    """How far each Application is."""

    verdicts: Annotated[tuple[Verdict, ...], Field(max_length=VERDICTS_MAX), BeforeValidator(first(VERDICTS_MAX))] = ()
    """The ten tags nearest to being taken, best first, and why each was or was not."""

    history: Annotated[
        tuple[HistoryEntry, ...], Field(max_length=HISTORY_MAX), BeforeValidator(first(HISTORY_MAX))
    ] = ()
    """The ten last moves, newest first."""

    quarantine: Annotated[
        tuple[Quarantined, ...], Field(max_length=QUARANTINE_MAX), BeforeValidator(first(QUARANTINE_MAX))
    ] = ()
    """Bundles that failed here and are not taken again, newest first."""

    first_seen: Annotated[
        tuple[FirstSeen, ...], Field(max_length=FIRST_SEEN_MAX), BeforeValidator(first(FIRST_SEEN_MAX))
    ] = ()
    """When the newest bundles were first seen, where spec.gates.minAge asks for it."""

    approved: Annotated[tuple[Approved, ...], Field(max_length=APPROVED_MAX), BeforeValidator(first(APPROVED_MAX))] = ()
    """What was approved, newest first, where spec.gates.approval is Manual."""

    next_transition: _Time | None = None
    """When the passing of time may next open a gate: a window opens, an age or a soak is reached."""

    last_handled_reconcile_at: _Token | None = None
    """
    Value of the annotation bundlewatch.dev/reconcile or reconcile.fluxcd.io/requestedAt that was last acted on;
    with both, the two values and a space between them; a hash of a value that is long or not printable.
    """

    last_handled_resume_at: _Token | None = None
    """Value of the annotation bundlewatch.dev/resume that was last acted on, or its hash."""

    last_handled_retry_at: _Token | None = None
    """Value of the annotation bundlewatch.dev/retry that was last acted on, or its hash."""

    @classmethod
    def parse(cls, body: object) -> "Status":
        """Status of a live object; what is no status of ours is treated as lost, never as an error."""
        if not isinstance(body, Mapping):
            return _LOST
        try:
            return _ADAPTER.validate_python(dict(body))
        except ValidationError:
            return _LOST

    def to_dict(self) -> dict[str, object]:
        """As it is written to the API server: camelCase, without what is absent or empty."""
        written: dict[str, object] = _ADAPTER.dump_python(self, mode="json", by_alias=True, exclude_defaults=True)
        return written


def in_short(names: Sequence[str]) -> str | None:
    """`status.target` for these Applications; None without any."""
    if not names:
        return None
    return names[0] if len(names) == 1 else f"{names[0]} (+{len(names) - 1})"


_ADAPTER: Final = TypeAdapter(Status)
_LOST: Final = Status()
