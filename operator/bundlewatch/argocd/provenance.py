"""What an Application itself tells of the bundle it was given: annotations under bundlewatch.dev/, and no others.

They are for people, and for what reads Applications without knowing BundleWatches: Argo CD's links, notifications,
dashboards. Nothing is decided by them, but by one: the mark of a version taken back, which is written in the same
request as the move and so survives a status that is lost. An ApplicationSet removes annotations that are not its own
(`ignore_rules.keeps_annotations`): whoever writes them must look first, or the two write against each other for ever.
"""

from typing import Final

from bundlewatch.api.annotations import PREFIX
from bundlewatch.api.status import Bundle
from bundlewatch.api.text import clean

WATCH: Final = PREFIX + "watch"
"""The BundleWatch that moves it, as namespace/name."""

VERSION: Final = PREFIX + "version"
"""Version of the bundle whose target revision it was given; its tag where the bundle tells none."""

DIGEST: Final = PREFIX + "digest"
"""Digest of that bundle."""

COMMIT: Final = PREFIX + "commit"
"""Commit that it was built from, where the bundle tells."""

PIPELINE: Final = PREFIX + "pipeline"
"""Link to the pipeline that built it, http or https, where the bundle tells."""

NEWER: Final = PREFIX + "newer"
"""Why nothing newer runs, in one sentence; absent where nothing newer is there."""

TAKEN_BACK: Final = PREFIX + "taken-back"
"""TAG@DIGEST of the bundle that was last taken back here."""

ALLOW: Final = PREFIX + "allow"
"""Written by people alone, to let a BundleWatch of another namespace in."""

_TEXT_LIMIT: Final = 256
_LINK_LIMIT: Final = 1024
_SENTENCE_LIMIT: Final = 300
_SCHEMES: Final = ("https://", "http://")
_NEVER_IN_A_LINK: Final = frozenset(" \"'<>\\`")


def provenance(bundle: Bundle | None, *, watch: str, newer: str = "") -> dict[str, str | None]:
    """The annotations an Application should have, None where it should not have one; never `TAKEN_BACK`.

    `bundle`: the one whose target revision it has, None where that is not known. `watch`: as namespace/name.
    `newer`: why nothing newer runs, "" where nothing newer is there.
    """
    known = bundle or Bundle(tag="")
    return {
        WATCH: _text(watch),
        VERSION: _text(known.version or known.tag),
        DIGEST: _text(known.digest),
        COMMIT: _text(known.commit),
        PIPELINE: _link(known.pipeline),
        NEWER: _text(newer, max_length=_SENTENCE_LIMIT),
    }


def taken_back(*, tag: str, digest: str | None) -> str:
    """The value of `TAKEN_BACK` for a bundle; without a digest it ends with the @."""
    return f"{clean(tag, max_length=_TEXT_LIMIT)}@{clean(digest or '', max_length=_TEXT_LIMIT)}"


def _text(value: str | None, *, max_length: int = _TEXT_LIMIT) -> str | None:
    return clean(value or "", max_length=max_length) or None


def _link(value: str | None) -> str | None:
    """Readers make a link of it: nothing but a plain web address, whole and without a login, is one."""
    link = (value or "").strip()
    scheme = next((scheme for scheme in _SCHEMES if link.lower().startswith(scheme)), "")
    host = link[len(scheme) :].partition("/")[0]
    if not scheme or not host or "@" in host or len(link) > _LINK_LIMIT:
        return None
    # An ellipsis at its end, of a text that was cut, is not ASCII either.
    return link if link.isascii() and link.isprintable() and not set(link) & _NEVER_IN_A_LINK else None
