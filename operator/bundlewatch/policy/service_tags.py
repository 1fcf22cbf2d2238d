r"""Tags that are never a bundle by their very form: what werf and cosign keep in the same repository.

werf stores stages, final images and its own records beside bundles, thousands of them; cosign and the fallback
of the referrers API store signatures. Forms: werf's `pkg/storage/repo_stages_storage.go` (and branch 3's
`meta_repo_marker.go`), cosign's `sha256-….sig`, OCI distribution specification, "Referrers Tag Schema". What a
user may name freely (custom tags) is not here; only a look at the manifest tells it from a bundle.
"""

import re
from typing import Final

_FORMS: Final = (
    ("a signature or attestation", r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{64,128})(?:\.[a-z]+)?"),
    ("a stage or image of werf", r"[0-9a-f]{56}(?:-[0-9]{13})?"),
    ("werf's mark of a rejected stage", r"[0-9a-f]{56}-[0-9]+-rejected"),
    ("werf's record of an image and a commit", r"meta-[0-9a-f]{1,8}_[0-9a-f]{40,64}_[0-9a-f]{56}(?:-[0-9]{13})?"),
    ("werf's record of a managed image", r"managed-image-.+"),
    ("werf's record of a custom tag", r"custom-tag-meta-.+"),
    ("werf's record of an import", r"import-metadata-[0-9a-f]+"),
    ("werf's record of a client", r"client-id-.+-[0-9]+"),
    ("werf's record of its synchronization server", r"sync-server"),
    ("werf's record of its last cleanup", r"cleanup"),
    ("werf's mark of a repository", r"werf-meta-repo-marker-.+"),
    ("werf 1.1's record of an image and a commit", r"image-metadata-by-commit-.+"),
)
_ANY: Final = re.compile("|".join(f"({form})" for _, form in _FORMS))


def service_tag(tag: str) -> str | None:
    """What such a tag is, in words; None: it may be a bundle."""
    match = _ANY.fullmatch(tag)
    return None if match is None or match.lastindex is None else _FORMS[match.lastindex - 1][0]
