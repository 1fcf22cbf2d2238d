"""From two statuses to the merge patch between them (RFC 7386): what changed and nothing else."""

from collections.abc import Mapping
from typing import Any


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that turns `old` into `new`; empty when they are equal. What a field holds is given whole, be it a list
    or an object: half of a bundle, put upon what somebody else has written meanwhile, would be a bundle that never was.
    """
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if key in old and before == value:
            continue
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            patch[key] = {**value, **merge_patch(before, value)}
        else:
            patch[key] = value
    return patch
