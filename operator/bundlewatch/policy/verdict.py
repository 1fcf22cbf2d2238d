"""What became of one tag, and why.

The reasons are a public, stable list: people script against them, so one is never renamed and never changes its
meaning. Which of them apply to a tag is decided elsewhere; this file knows only the words.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a tag was, or was not, taken. The first group is in the order of the checks: the first that hits counts."""

    NOT_A_BUNDLE_TAG = "NotABundleTag"
    PATTERN_MISMATCH = "PatternMismatch"
    EXCLUDED = "Excluded"
    NOT_A_VERSION = "NotAVersion"
    PRERELEASE = "Prerelease"
    OUT_OF_RANGE = "OutOfRange"
    DOWNGRADE = "Downgrade"

    CHOSEN = "Chosen"
    CURRENT = "Current"
    SUPERSEDED = "Superseded"

    # Known only after a look at the manifest.
    NOT_A_CHART = "NotAChart"
    CHART_NAME_MISMATCH = "ChartNameMismatch"
    NOT_DEPLOYABLE = "NotDeployable"
    IMAGES_MISSING = "ImagesMissing"
    VANISHED = "Vanished"
    UNVERIFIED = "Unverified"

    # It may go, but not now, or not again.
    QUARANTINED = "Quarantined"
    TOO_YOUNG = "TooYoung"
    OUTSIDE_WINDOW = "OutsideWindow"
    AWAITING_APPROVAL = "AwaitingApproval"
    AWAITING_UPSTREAM = "AwaitingUpstream"
    HELD = "Held"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One tag's fate. `version` is what it reads as, without the tag's own spelling; None if it does not."""

    tag: str
    version: str | None
    reason: Reason
    message: str
