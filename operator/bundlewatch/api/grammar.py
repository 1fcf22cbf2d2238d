"""The rules of `spec`: what a repository, an interval, a tag, a name and a label look like, and their cures.

Sources: distribution's reference grammar and the OCI distribution specification (repository, tag), RFC 1123
as Kubernetes reads it (names, labels). Everything here is checked by the API server too; see `rules`.
"""

import re
from collections.abc import Mapping
from typing import Final

from bundlewatch.api import duration
from bundlewatch.api.rules import Fault, Rule, TextRule, literal

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"

OBJECT_NAME: Final = TextRule(
    grammar=f"^{_SUBDOMAIN}$",
    otherwise="must be the name of an object: lower-case letters and digits, with - and . between them",
    faults=(Fault("/", "must be a name without a namespace: the object is looked for in the BundleWatch's own"),),
)

APPLICATION_NAME: Final = TextRule(
    grammar=OBJECT_NAME.grammar,
    otherwise="must be the name of an Application: lower-case letters and digits, with - and . between them",
    faults=(
        Fault("/", "must be a name without a namespace: put the BundleWatch beside the Application"),
        Fault(r"[*?]", "must be one name, not a glob: to follow several Applications, use selector instead"),
    ),
)

_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

LABEL_VALUE: Final = TextRule(
    grammar=f"^({_LABEL_NAME})?$",
    otherwise="must be a label's value: letters and digits, with - _ . between them, at most 63 characters",
)

_LABEL_KEY = f"^({_SUBDOMAIN}/)?{_LABEL_NAME}$"


def _all_label_keys(labels: Mapping[str, str]) -> bool:
    return all(len(key) <= 317 and re.fullmatch(_LABEL_KEY, key) for key in labels)


LABEL_KEYS: Final[Rule[dict[str, str]]] = Rule(
    condition=f"self.all(key, key.size() <= 317 && key.matches({literal(_LABEL_KEY)}))",
    message=(
        "has a key that no label can have: write name or prefix/name, of letters and digits with - _ and . "
        "between them, such as team or example.com/team"
    ),
    holds=_all_label_keys,
)

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PORT = ":(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"  # 1 to 65535
# A first part without a dot, a port or the name localhost is no host by distribution's rule.
_HOST = rf"(({_LABEL}(\.{_LABEL})+|localhost|\[[0-9a-f:]+\])({_PORT})?|{_LABEL}{_PORT})"
_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_EXAMPLE = "such as registry.example.com/shop/bundle"

REPOSITORY: Final = TextRule(
    grammar=f"^(oci://)?{_HOST}/{_COMPONENT}(/{_COMPONENT})*$",
    otherwise=(
        "must be host/path or host:port/path, the port at most 65535, each part of the path lower-case "
        f"letters and digits with single . _ or - between them, {_EXAMPLE}"
    ),
    faults=(
        Fault(r"[ \t\r\n]", "has white space in it: remove it"),
        Fault("://", f"has a scheme that is not oci://: write host/path, {_EXAMPLE}", unless="^oci://"),
        Fault(
            "^(oci://)?[^/]*@",
            "carries a user name: remove it and name a Secret with the credentials in spec.access.secretRef",
        ),
        Fault("@", "has a digest: remove everything from @ on; to keep one bundle, put its tag into spec.pin"),
        Fault("[A-Z]", "has upper-case letters: write it in lower case, as registries require"),
        Fault(
            "^(oci://)?[^/]+/.*:[^/]*$",
            "has a tag: remove everything from the last : on; tags are named in spec.tags and spec.pin",
        ),
        Fault("/$", "ends with a slash: remove it"),
        Fault("^(oci://)?[^/]*$", f"lacks the path: write host/path, {_EXAMPLE}"),
        Fault(
            "^(oci://)?[^/.:]+/",
            "does not begin with a registry's host: write the host with its domain or port before the path, "
            "or docker.io for Docker Hub",
            unless="^(oci://)?localhost/",
        ),
    ),
)

INTERVAL: Final = TextRule(
    grammar=duration.GRAMMAR,
    otherwise="must be a number with a unit s, m or h, or several of them: 30s, 5m, 1h30m",
    faults=(
        Fault("^[0-9.]+$", "lacks a unit: write 60s for seconds, 1m for minutes or 1h for hours"),
        Fault("[0-9]d", "has days, which are no unit here: write hours, such as 24h"),
    ),
)

AGE: Final = TextRule(grammar=f"^({duration.GRAMMAR[1:-1]})?$", otherwise=INTERVAL.otherwise, faults=INTERVAL.faults)
"""The same, or empty."""


def _is_duration(text: str) -> bool:
    return INTERVAL.broken_by(text) is None


_IS_DURATION = f"self.matches({literal(duration.GRAMMAR)})"


def _at_least(least: str, message: str) -> Rule[str]:
    return Rule(
        condition=f"!{_IS_DURATION} || duration(self) >= duration('{least}')",
        message=message,
        holds=lambda text: not _is_duration(text) or duration.seconds(text) >= duration.seconds(least),
    )


def _at_most(most: str, message: str) -> Rule[str]:
    return Rule(
        condition=f"!{_IS_DURATION} || duration(self) <= duration('{most}')",
        message=message,
        holds=lambda text: not _is_duration(text) or duration.seconds(text) <= duration.seconds(most),
    )


FLOOR: Final = _at_least(
    "10s", "is below the floor: write 10s or more; the annotation bundlewatch.dev/reconcile looks at once"
)
CEILING: Final = _at_most("24h", "is above the ceiling: write 24h or less; to stop looking, set spec.suspend")

TIMEOUT_FLOOR: Final = _at_least("10s", "is below the floor: write 10s or more, Argo CD needs some seconds itself")
TIMEOUT_CEILING: Final = _at_most("24h", "is above the ceiling: write 24h or less")
AGE_CEILING: Final = _at_most("8760h", "is above the ceiling: write 8760h, which is a year, or less")
WINDOW_FLOOR: Final = _at_least("1m", "is below the floor: write 1m or more, schedules count minutes")

SCHEDULE: Final = TextRule(
    grammar="^[0-9A-Za-z*/,#-]+( +[0-9A-Za-z*/,#-]+){4}$",
    otherwise=(
        "must be five cron fields, minute hour day-of-month month day-of-week, such as '0 9 * * 1-5' for nine "
        "o'clock from Monday to Friday"
    ),
    faults=(
        Fault("^@", "has a short name that not all know: write five cron fields, such as '0 0 * * *' for @daily"),
        Fault("^ *([^ ]+ +){5,}[^ ]+ *$", "has more than five fields: remove seconds and years"),
        Fault("^ | $", "begins or ends with a space: remove it"),
    ),
)

TIME_ZONE: Final = TextRule(
    grammar="^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
    otherwise="must be the IANA name of a time zone, such as Europe/Berlin or UTC",
)

PIN: Final = TextRule(
    grammar="^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$",
    otherwise="must be one tag: letters, digits, _ . and -, not beginning with . or -, such as 1.0.3",
    faults=(
        Fault("^sha256:|@", "must be a tag, not a digest: write the tag that the digest was published as"),
        Fault("[/:]", "must be the tag alone: remove the repository before it"),
        Fault(r"^[^ ~^<>=*|,!]*[+]", "has a +, which no tag can have: write _ for it, as registries do"),
        Fault(r"[ ~^<>=*|,!]", "must be one tag, not a range: put the range into spec.tags.range"),
    ),
)

SOURCE_NAME_MAX_LENGTH: Final = 128
_SOURCE_POSITION_MAX = 63


def _is_source(value: object) -> bool:
    match value:
        case bool():  # an int to Python, and no position to anybody
            return False
        case int():
            return 0 <= value <= _SOURCE_POSITION_MAX
        case str():
            return 0 < len(value) <= SOURCE_NAME_MAX_LENGTH
        case _:
            return False


SOURCE: Final[Rule[object]] = Rule(
    condition=f"type(self) == int ? self >= 0 && self <= {_SOURCE_POSITION_MAX} : size(self) > 0",
    message="must be the source's name, or its position in spec.sources counted from 0, such as 1",
    holds=_is_source,
)
