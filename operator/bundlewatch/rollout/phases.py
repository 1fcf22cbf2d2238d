"""The phases of an Application that are BundleWatch's doing; Argo CD's are in `argocd.assessment`.

They stand in the same field of status, and are the same promise: a word is added, never given another meaning.
"""

from typing import Final

from bundlewatch.argocd.assessment import Phase

QUEUED: Final = "Queued"
"""It is moved later: another wave comes first, or no window is open."""

BLOCKED: Final = "Blocked"
"""It must not be moved, for a reason of its own."""

HELD: Final = "Held"
"""Somebody else has set it after us; it is left alone until they say otherwise."""

REVERTED: Final = "Reverted"
"""Somebody goes on putting it back; likewise."""

ILL: Final = frozenset({Phase.DEGRADED, Phase.FAILED})
"""Of Argo CD's, those that say that something is wrong with the release."""
