"""Which tags may be taken: the model of `spec.tags`, and which of its fields go with which order."""

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from bundlewatch.api import rules
from bundlewatch.api.fields import EmptyIsAbsent
from bundlewatch.api.model import config

_Expression = Annotated[str, Field(max_length=512)]
_Glob = Annotated[str, Field(min_length=1, max_length=256)]

_VERSIONED: Final = ("semver", "calver")
# The API server tries the rules on the default of `tags` before the fields in it have theirs.
_IS_VERSIONED: Final = "!has(self.order) || self.order in ['semver', 'calver']"


def _is_versioned(tags: rules.Fields) -> bool:
    return tags.get("order", "semver") in _VERSIONED


_SEMVER_ASCENDS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition="has(self.order) && self.order != 'semver' || !has(self.direction) || self.direction != 'Descending'",
    message=(
        "has direction: Descending with order: semver, but the newer of two versions is the higher one: remove "
        "direction; to stay low, use range"
    ),
    holds=lambda tags: tags.get("order", "semver") != "semver" or tags.get("direction") != "Descending",
)

_RANGE_OF_VERSIONS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=f"{_IS_VERSIONED} || !has(self.range) || self.range == ''",
    message="has a range, which only order: semver and calver know: remove range, or leave tags out by exclude",
    holds=lambda tags: _is_versioned(tags) or not tags.get("range"),
)

_PRERELEASES_OF_VERSIONS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=f"{_IS_VERSIONED} || !has(self.prereleases) || !self.prereleases",
    message="has prereleases: true, which only order: semver and calver know: remove prereleases",
    holds=lambda tags: _is_versioned(tags) or not tags.get("prereleases"),
)


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=config(rules.schema(_SEMVER_ASCENDS, _RANGE_OF_VERSIONS, _PRERELEASES_OF_VERSIONS)),
)
class Tags:
    """Which tags of the repository may be taken; the newest of them is."""

    pattern: Annotated[_Expression | None, EmptyIsAbsent] = None
    """
    RE2 expression that a tag has to match; anchor it with ^ and $. If it has a group named `version`,
    only that part of the tag is read and compared, else the whole tag. Left out or empty: every tag
    that reads in this order. Example: '^v(?P<version>.+)$'
    """

    exclude: Annotated[tuple[_Glob, ...], Field(max_length=64)] = ()
    """
    Tags never to be taken, as globs on the whole tag: * stands for any characters, ? for one, [abc] for
    one of these. Left out: none. Example: ['1.0.13', '*-debug']
    """

    order: Literal["semver", "calver", "numerical", "alphabetical"] = "semver"
    """
    How tags are read and compared. semver: versions, as Helm reads them; calver: versions that begin with a
    date, such as 2024.01.15, 24.04 or 20240115; numerical: numbers; alphabetical: text, in the order of
    ASCII. Default: semver
    """

    direction: Literal["Ascending", "Descending"] = "Ascending"
    """
    Ascending: the highest is the newest. Descending: the lowest is, not for semver. Default: Ascending
    """

    range: Annotated[_Expression | None, EmptyIsAbsent] = None
    """
    Versions that may be taken, in the language of Helm's version ranges: '~1.0' (1.0.x), '^1.2' (1.x from
    1.2), '>=1.2 <2', '1.x || 3.x'; of calver the first three numbers: '2024.x', '>=24.04 <24.10'. Left out
    or empty: every version. Only for order semver and calver. Example: '~1.0'
    """

    prereleases: bool = False
    """
    Whether pre-releases such as 1.1.0-rc.1 may be taken. true: yes, in the order of versions. Default:
    false, Helm's rule: only where the range itself names a pre-release, as '>=1.1.0-0' does. Only for order
    semver and calver.
    """

    @model_validator(mode="after")
    def _rules(self) -> "Tags":
        for rule in (_SEMVER_ASCENDS, _RANGE_OF_VERSIONS, _PRERELEASES_OF_VERSIONS):
            rule.check(self)
        return self
