"""What a bundle has to wait for before it may go: the model of `spec.gates`."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from bundlewatch.api import duration, grammar, rules
from bundlewatch.api.fields import EmptyIsAbsent, ObjectName, Ruled, lasting
from bundlewatch.api.model import config

_Age = Annotated[str, lasting(grammar.AGE, grammar.AGE_CEILING)]
_Soak = Annotated[str, lasting(grammar.INTERVAL, grammar.AGE_CEILING)]
_OpenFor = Annotated[str, lasting(grammar.INTERVAL, grammar.WINDOW_FLOOR, grammar.AGE_CEILING)]
_Schedule = Annotated[str, Ruled(128, grammar.SCHEDULE)]
_TimeZone = Annotated[str, Ruled(64, grammar.TIME_ZONE)]

ALLOW: Final = "Allow"
DENY: Final = "Deny"
MANUAL: Final = "Manual"


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Window:
    """A time that comes again and again, in which Applications may or may not be moved."""

    name: Annotated[str | None, Field(max_length=64), EmptyIsAbsent] = None
    """What people call it; it stands in messages. Example: office hours"""

    kind: Literal["Allow", "Deny"]
    """
    Allow: Applications are moved only within one of the Allow windows. Deny: they are not moved within it, whatever
    the Allow windows say. A release that is taken back is taken back at any time.
    """

    schedule: _Schedule
    """
    When it opens: five cron fields, minute hour day-of-month month day-of-week, in `timeZone`. Example: '0 9 * * 1-5'
    """

    duration: _OpenFor
    """How long it stays open, by the clock that runs without jumps; from 1m to 8760h. Example: 8h"""

    time_zone: _TimeZone = "UTC"
    """IANA name of the time zone of `schedule`; summer time is heeded. Default: UTC. Example: Europe/Berlin"""

    @property
    def duration_s(self) -> float:
        return duration.seconds(self.duration)

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"window {self.name}" if self.name else f"window {self.schedule!r}"


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Upstream:
    """Another BundleWatch of the same namespace, which has to have had the bundle healthy first."""

    name: ObjectName
    """Name of the BundleWatch. Example: shop-staging"""

    soak: _Soak = "0s"
    """
    For how long, without a break, all of its Applications must have been healthy with the bundle; at most 8760h.
    Default: 0s
    """

    @property
    def soak_s(self) -> float:
        return duration.seconds(self.soak)


def _distinct(upstreams: Sequence[rules.Fields]) -> bool:
    names = [upstream.get("name") for upstream in upstreams]
    return len(names) == len(set(names))


_DISTINCT_UPSTREAMS: Final["rules.Rule[Sequence[rules.Fields]]"] = rules.Rule(
    condition="self.all(a, self.exists_one(b, b.name == a.name))",
    message="names one BundleWatch twice: list each name once, with the longer soak",
    holds=_distinct,
)


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Gates:
    """What a bundle has to wait for. All gates must be open; pin goes past them."""

    min_age: Annotated[_Age | None, EmptyIsAbsent] = None
    """
    How long ago BundleWatch must have first seen the bundle, by its digest; at most 8760h. While a bundle is too
    young, the newest that is old enough goes. Left out or empty: no wait. Example: 1h
    """

    windows: Annotated[tuple[Window, ...], Field(max_length=16)] = ()
    """
    When Applications may be moved. Left out: always. Example: [{kind: Allow, schedule: '0 9 * * 1-5', duration: 8h}]
    """

    approval: Literal["Automatic", "Manual"] = "Automatic"
    """
    Manual: a bundle goes only after a person has given the annotation bundlewatch.dev/approve its tag.
    Default: Automatic
    """

    after: Annotated[
        tuple[Upstream, ...],
        Field(max_length=8, json_schema_extra=rules.schema(_DISTINCT_UPSTREAMS)),
        AfterValidator(_DISTINCT_UPSTREAMS.check),
    ] = ()
    """
    Other BundleWatches of this namespace that must have had the bundle healthy first: the same digest where they
    watch the same repository, else the same version. Example: [{name: shop-staging, soak: 2h}]
    """

    @property
    def min_age_s(self) -> float:
        return duration.seconds(self.min_age) if self.min_age is not None else 0.0
