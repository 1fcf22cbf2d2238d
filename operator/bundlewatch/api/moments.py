"""Times as status holds them, as we reckon with them, and as people read them."""

from datetime import UTC, datetime, tzinfo


def moment(text: str | None) -> datetime | None:
    """The time that an RFC 3339 text means; None where there is none, or it means nothing."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def rfc3339(found: datetime) -> str:
    """As Kubernetes writes it: UTC, seconds. Nothing here happens twice in one."""
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(found: datetime, zone: tzinfo = UTC) -> str:
    """For a message: `2026-11-27 08:00 UTC`, and the same in `zone` where that is another one.

    Always a fixed time, never how long it is until then: a message that ticks would be written at every pass.
    """
    found = found.astimezone(UTC)
    text = f"{_clock(found)} UTC"
    name = str(zone)
    if name == str(UTC):
        return text
    there = found.astimezone(zone)
    return f"{text} ({_clock(there) if there.date() != found.date() else _clock(there)[11:]} {name})"


def _clock(found: datetime) -> str:
    return found.strftime("%Y-%m-%d %H:%M:%S" if found.second else "%Y-%m-%d %H:%M")
