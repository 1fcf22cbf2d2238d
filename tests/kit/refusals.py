"""Why something was refused, one line a reason, whether the API server said so itself or kubectl told it."""

import re
import subprocess

from kit.api import ApiError

_STRICT = "strict decoding error: "


def of_api(error: ApiError) -> list[str]:
    """Each cause once; what is refused before that for its fields' names or types, each of these."""
    return list(dict.fromkeys(error.causes)) or _decoding(error.message)


def of_kubectl(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Nothing if it was taken; what kubectl says about itself, such as the file's name, is left out."""
    if done.returncode == 0:
        return []
    said = done.stderr.strip()
    invalid = re.match(r'The \w+ ".*?" is invalid: (.*)', said, re.DOTALL)
    if invalid:
        return [line.strip().removeprefix("* ") for line in invalid[1].strip().split("\n")]
    # kubectl decodes metadata itself, as a part of something else.
    return _decoding(
        re.sub(r"(Go struct field \w+\.)metadata\.", r"\1", re.sub(r'^error: unable to decode ".*?": ', "", said))
    )


def _decoding(message: str) -> list[str]:
    reason = re.sub(r'^.*?\w+ in version ".*?" cannot be handled as a \w+: ', "", message)
    if not reason.startswith(_STRICT):
        return [reason]
    fields = re.split(r', (?=(?:unknown|duplicate) field ")', reason.removeprefix(_STRICT))
    return [_STRICT + field for field in fields]
