"""What the API server does with a JSON Patch, as far as ours go.

Where it departs from RFC 6902 this follows it: a test against null passes for an absent member, and a member set to
null is gone. That it does so, tests/cluster/test_patch.py shows.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any


class Refused(Exception):
    """422: nothing of the patch was applied."""


def apply(live: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The object after the patch; `live` is left as it was. Raises Refused."""
    result = deepcopy(dict(live))
    for operation in operations:
        *above, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
        holder: Any = result
        for key in above:
            try:
                holder = holder[int(key)] if isinstance(holder, list) else holder[key]
            except (KeyError, IndexError) as error:
                raise Refused(operation) from error
        match operation["op"]:
            case "test" if holder.get(last) != operation["value"]:
                raise Refused(operation)
            case "replace" | "remove" if last not in holder:
                raise Refused(operation)
            case "add" | "replace" if operation["value"] is not None:
                holder[last] = deepcopy(operation["value"])
            case "add" | "replace" | "remove":
                holder.pop(last, None)
    return result
