"""Whatever calendar scheme a project uses, its tags read as dates, and the later one is the higher."""

import itertools
import time
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import InvalidRange
from bundlewatch.policy import calver
from bundlewatch.policy.calver import CALVER
from bundlewatch.policy.order import Key
from bundlewatch.policy.policy import Policy
from bundlewatch.policy.version import RELEASE

RC1 = ((1, "rc"), (0, 1))


def key(text: str) -> Key:
    found = CALVER.key(text)
    assert found is not None, text
    return found


def numbers(text: str) -> list[int]:
    """All numbers of it, the date first."""
    year, second, third, others, *_ = key(text)
    return [year, second, third, *others]


def modifier(text: str) -> str:
    """As it is compared: its parts in words."""
    found = key(text)[4]
    return "" if found == RELEASE else " ".join(str(value) for _, value in found)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # https://calver.org, "Scheme" and "Case studies"
        pytest.param("24.04", [2024, 4, 0], id="YY.0M"),
        pytest.param("24.04.1", [2024, 4, 1], id="Ubuntu, YY.0M.MICRO"),
        pytest.param("6.06", [2006, 6, 0], id="YY of one digit, Ubuntu's first"),
        pytest.param("06.6", [2006, 6, 0], id="0Y"),
        pytest.param("106.1", [2106, 1, 0], id="YY of 2106"),
        pytest.param("2024.05", [2024, 5, 0], id="YYYY.0W"),
        pytest.param("2024.1.15", [2024, 1, 15], id="YYYY.MM.DD"),
        pytest.param("2024.01.15", [2024, 1, 15], id="YYYY.0M.0D"),
        pytest.param("2024.1.0", [2024, 1, 0], id="YYYY.MINOR.MICRO"),
        pytest.param("24.0", [2024, 0, 0], id="pip, YY.MINOR"),
        pytest.param("2024.1.2", [2024, 1, 2], id="JetBrains, YYYY.RELEASE.PATCH"),
        pytest.param("2021.12.17", [2021, 12, 17], id="youtube-dl"),
        pytest.param("2024.01.15.232816", [2024, 1, 15, 232816], id="yt-dlp's nightly"),
        pytest.param("2024.1", [2024, 1, 0], id="pytz"),
        # Stamps
        pytest.param("20240115", [2024, 1, 15], id="a day"),
        pytest.param("202401", [2024, 1, 0], id="a month"),
        pytest.param("20240115.3", [2024, 1, 15, 3], id="the third of a day"),
        pytest.param("2024011503", [2024, 1, 15, 3], id="the third of a day in two digits, as in DNS"),
        pytest.param("20240115-093000", [2024, 1, 15, 93000], id="a day and its time"),
        pytest.param("20240115093000", [2024, 1, 15, 93000], id="the same in one"),
        pytest.param("202401150930", [2024, 1, 15, 930], id="to the minute"),
        pytest.param("20240115T093000Z", [2024, 1, 15, 93000], id="ISO 8601, basic"),
        pytest.param("20240115t093000z", [2024, 1, 15, 93000], id="ISO 8601 in lower case"),
        pytest.param("20240115Z", [2024, 1, 15], id="a day of UTC"),
        pytest.param("2024-01-15", [2024, 1, 15], id="ISO 8601, extended"),
        pytest.param("2024-01-15T09-30-00Z", [2024, 1, 15, 9, 30], id="MinIO without its prefix"),
        pytest.param("202401.15", [2024, 1, 15], id="a month and a day"),
        pytest.param("190001", [1900, 1, 0], id="the first month in one"),
        pytest.param("20991231", [2099, 12, 31], id="the last day in one"),
        pytest.param("2024.01.15-1234567", [2024, 1, 15, 1234567], id="a commit of digits alone cannot be told"),
        pytest.param("2024.W05", [2024, 5, 0], id="a week"),
        pytest.param("2024-W05-3", [2024, 5, 3], id="a day of a week, ISO 8601"),
        pytest.param("2024w5", [2024, 5, 0], id="a week without a sign"),
        # Spelling
        pytest.param("v2024.1", [2024, 1, 0], id="a leading v"),
        pytest.param("2024-01.15", [2024, 1, 15], id="signs of both kinds"),
        pytest.param("1.2", [2001, 2, 0], id="a version may look like a date of 2001"),
        pytest.param("0.0", [2000, 0, 0], id="nothing but noughts"),
        pytest.param("1000.1", [1000, 1, 0], id="the first year"),
        pytest.param("2999.1", [2999, 1, 0], id="the last year"),
        pytest.param("999.1", [2999, 1, 0], id="the last short year"),
        pytest.param("24.0000000001", [2024, 1, 0], id="leading zeros"),
        pytest.param(f"2024.{10**40}", [2024, 10**40, 0], id="a number past every machine's"),
        pytest.param("2024." + "9" * 251, [2024, 10**251 - 1, 0], id="256 characters"),
    ],
)
def test_the_numbers_of_a_calendar_version_are_read(text: str, read: list[int]) -> None:
    assert (numbers(text), modifier(text)) == (read, "")


@pytest.mark.parametrize(
    ("text", "read", "modified"),
    [
        pytest.param("24.3.0rc1", [2024, 3, 0], "rc 1", id="Twisted"),
        pytest.param("24.1b2", [2024, 1, 0], "b 2", id="pip"),
        pytest.param("2024.2.0.dev202401150222", [2024, 2, 0], "dev 202401150222", id="Home Assistant"),
        pytest.param("20240115rc2", [2024, 1, 15], "rc 2", id="behind a stamp"),
        pytest.param("2024.1-rc.1", [2024, 1, 0], "rc 1", id="as SemVer writes it"),
        pytest.param("2024.1-rc1", [2024, 1, 0], "rc 1", id="without the dot"),
        pytest.param("2024.1-RC1", [2024, 1, 0], "RC 1", id="in capitals"),
        pytest.param("2024.1.post1", [2024, 1, 0], "post 1", id="whatever it says"),
        pytest.param("24.04-lts", [2024, 4, 0], "lts", id="a word"),
        pytest.param("24.04-alpine3.19", [2024, 4, 0], "alpine 3 19", id="what it is built on"),
        pytest.param("2024.01.15-abc1234", [2024, 1, 15], "abc 1234", id="a commit"),
        pytest.param("2024.01.15-1abc234", [2024, 1, 15], "1abc234", id="a commit that begins with a digit"),
        pytest.param("2024.01.15.1abc234", [2024, 1, 15], "1abc234", id="a commit behind a dot"),
        pytest.param("2024.01.15-12a3456", [2024, 1, 15], "12a3456", id="a commit that could be the alpha of a number"),
        pytest.param("2024.1-" + "1a" * 20, [2024, 1, 0], "1a" * 20, id="a commit in full"),
        pytest.param("2024.01.15-1abc234-dirty.2", [2024, 1, 15], "1abc234-dirty 2", id="more words behind a commit"),
        pytest.param("2024.01.15-3-gabc1234", [2024, 1, 15, 3], "gabc 1234", id="git describe"),
        pytest.param("2024.01.15-1a2", [2024, 1, 15, 1], "a 2", id="too short for a commit"),
        pytest.param("20240115T0930Z-rc1", [2024, 1, 15, 930], "rc 1", id="behind a time of UTC"),
        pytest.param("2024.1-T", [2024, 1, 0], "T", id="a letter that could begin a number"),
        pytest.param("2024.1-Wx", [2024, 1, 0], "Wx", id="a word that begins as a week does"),
        pytest.param("2024.1.Z", [2024, 1, 0], "Z", id="a word that could end a time"),
        pytest.param("2024.1-rc.01", [2024, 1, 0], "rc 1", id="a leading zero, which SemVer forbids"),
    ],
)
def test_what_is_behind_the_numbers_makes_it_a_prerelease(text: str, read: list[int], modified: str) -> None:
    assert (numbers(text), modifier(text)) == (read, modified)


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        pytest.param("v24.04_b.7", "24.04+b.7", id="neither v nor the underscore of a tag"),
        pytest.param("20240115-093000", "20240115-093000", id="numbers as they are written"),
        pytest.param("2024.1rc1+b", "2024.1rc1+b", id="a plus is one too"),
    ],
)
def test_a_reading_is_what_a_person_would_write(tag: str, said: str) -> None:
    assert CALVER.read(tag) == (said, key(tag))


NO_CALVERS = [
    pytest.param("", id="nothing"),
    pytest.param("latest", id="a word"),
    pytest.param("v", id="a lone v"),
    pytest.param("V2024.1", id="a capital V"),
    pytest.param("vv2024.1", id="two v"),
    pytest.param("17", id="one number"),
    pytest.param("2024", id="a year alone"),
    pytest.param("24-rc1", id="a year and a modifier"),
    pytest.param("2024-1abc234", id="a year and a commit"),
    pytest.param("2024a", id="tzdata, a year and a letter"),
    pytest.param("20241", id="five digits"),
    pytest.param("20241.1", id="a first number of five digits"),
    pytest.param("2024011", id="seven digits"),
    pytest.param("2024011.1", id="a first number of seven digits"),
    pytest.param("123456", id="six digits that are no month"),
    pytest.param("240115", id="YYMMDD"),
    pytest.param("240112", id="YYMMDD that could be a month of the year 2401"),
    pytest.param("189912", id="a month in one before 1900"),
    pytest.param("21000101", id="a day in one after 2099"),
    pytest.param("202400", id="month 0"),
    pytest.param("202413", id="month 13"),
    pytest.param("20241345", id="day 45 of month 13"),
    pytest.param("20240100", id="day 0"),
    pytest.param("20240132", id="day 32"),
    pytest.param("202401151", id="a digit too few for an hour"),
    pytest.param("2024011509300", id="a digit too few for a second"),
    pytest.param("202401150930001", id="a digit too many"),
    pytest.param("0999.1", id="a year before 1000"),
    pytest.param("3000.1", id="a year after 2999"),
    pytest.param("2024.", id="a dot at the end"),
    pytest.param("2024..1", id="two dots"),
    pytest.param(".2024.1", id="a dot at the beginning"),
    pytest.param("2024.-1", id="two signs"),
    pytest.param("2024.1-", id="a hyphen at the end"),
    pytest.param("2024.1--rc", id="two hyphens"),
    pytest.param("2024_1", id="an underscore is no separator"),
    pytest.param("2024.1+", id="empty build metadata"),
    pytest.param("2024.1_a_b", id="two build metadata"),
    pytest.param("2024.1_a..b", id="an empty word"),
    pytest.param("2024.1-rc.", id="a word that is missing"),
    pytest.param("2024.1RC1", id="capitals directly behind a number"),
    pytest.param("2024.1rc", id="directly behind a number without one of its own"),
    pytest.param("2024.1post1", id="an unknown word directly behind a number"),
    pytest.param("2024.01.15a", id="a letter directly behind a day"),
    pytest.param("2024-01-15a", id="the same with hyphens"),
    pytest.param("20240115a", id="a letter directly behind a stamp"),
    pytest.param("2024.01.15rc1-b", id="more behind what is directly behind a number"),
    pytest.param("2024.01.15rc1.dev2", id="the same with a dot"),
    pytest.param("2024.01.15rc1Z", id="the same in UTC"),
    pytest.param("2024.1Zrc1", id="directly behind the Z"),
    pytest.param("2024.1W", id="a week without a number"),
    pytest.param("2024.1-W5x", id="a word that begins with a week"),
    pytest.param("2024.1.1abc23", id="too few digits for a commit"),
    pytest.param("2024.1.1ABC234", id="a commit in capitals"),
    pytest.param("2024.1-1" + "a" * 40, id="too many digits for a commit"),
    pytest.param("2023.2.5f1", id="Unity"),
    pytest.param("24.04-1ubuntu2", id="Debian's revision"),
    pytest.param(" 2024.1", id="a leading space"),
    pytest.param("2024.1 ", id="a trailing space"),
    pytest.param("2024.1\n", id="a trailing line end"),
    pytest.param("2024.1-rc1\n", id="a line end behind a modifier"),
    pytest.param("2024.1\0", id="a zero byte"),
    pytest.param("2024\0.1", id="a zero byte within"),
    pytest.param("2024.1-rc\x1b", id="a control character"),
    pytest.param("٢٠٢٤.1", id="Arabic digits"),
    pytest.param("２024.1", id="full-width digits"),
    pytest.param("2024.1²", id="a superscript"),
    pytest.param("2024.1-é", id="a letter outside ASCII"),
    pytest.param("2024.1-ſ", id="a letter that folds to ASCII"),
    pytest.param("2024." + "9" * 252, id="257 characters"),
    pytest.param("2024." + "9" * 5000, id="more digits than Python would convert"),
]


@pytest.mark.parametrize("text", NO_CALVERS)
def test_what_is_no_calendar_version_is_none(text: str) -> None:
    assert CALVER.key(text) is None
    assert CALVER.read(text) is None


@pytest.mark.parametrize(
    "ascending",
    [
        pytest.param("6.06 23.10 24.04 24.04.1 24.10 106.1", id="short years"),
        pytest.param("1999.12 0.1 2001.1 2.1 2003.1", id="short years among long ones"),
        pytest.param("2024.9 2024.10 2025.1", id="numbers are no text"),
        pytest.param("20240115 20240115.1 20240115.2 20240115.10 20240116", id="several of a day"),
        pytest.param("20240115-093000 20240115T093001 20240115100000 20240115235959 20240116-000000", id="times"),
        pytest.param("2024.W05 2024.W05.1 2024.W06 2024.W10 2025.W01", id="weeks"),
        pytest.param("2024.1-alpha 2024.1-beta 2024.1-rc 2024.1-rc.9 2024.1-rc10 2024.1 2024.2-alpha", id="modifiers"),
        pytest.param("24.3.0a2 24.3.0a10 24.3.0b1 24.3.0rc1 24.3.0rc9 24.3.0rc10 24.3.0 24.3.1a1", id="Python's"),
        pytest.param("2024.1-rc.1 2024.1-rc1.1 2024.1-rc.1.a 2024.1-rc.a 2024.1-rcx", id="as SemVer compares"),
        pytest.param("2024.1.9-rc 2024.1-9 2024.1.10", id="a number behind a hyphen is no modifier"),
        pytest.param(
            "2024.1.1 2024.1.1.0.1-rc1 2024.1.1.0.1 2024.1.1.1-rc1 2024.1.1.1", id="modifiers of more numbers"
        ),
        pytest.param("2024.1 2024.1_0 2024.1_9 2024.1_10 2024.1_10.0 2024.1_a 2024.1_b", id="build metadata"),
        pytest.param("2024.1-rc1_b 2024.1-rc2_a 2024.1_a", id="modifiers before build metadata"),
        pytest.param(f"2024.{10**40} 2024.{10**40 + 1} 2024.{10**41}", id="numbers past every machine's"),
    ],
)
def test_later_is_higher(ascending: str) -> None:
    ordered = [key(text) for text in ascending.split()]

    assert all(lower < higher for lower, higher in pairwise(ordered))


@pytest.mark.parametrize(
    "equals",
    [
        pytest.param("20240115 2024-01-15 2024.1.15 v24.1.15 024.01.15 202401-15 20240115Z", id="a day"),
        pytest.param("2024.1 24.1 24.01 2024.1.0 2024.1.0.0.0 202401", id="missing numbers are 0"),
        pytest.param("20240115-093000 20240115T093000Z 20240115.093000 20240115093000", id="a time"),
        pytest.param("2024.1-rc1 2024.1-rc.1 2024.1.rc01 2024.1rc1 2024.1.0rc1 2024.1-rc.01", id="a modifier"),
        pytest.param("2024.W05 2024-W5 2024w5 2024.5", id="a week, and a month of the same number"),
        pytest.param("2024.1_b.07 2024.1+b.7", id="build metadata"),
    ],
)
def test_spelling_makes_no_difference(equals: str) -> None:
    assert len({key(text) for text in equals.split()}) == 1


years = st.one_of(
    st.integers(1000, 2999).map(lambda year: (str(year), year)),
    st.integers(0, 999).map(lambda year: (str(year), 2000 + year)),
    st.integers(0, 99).map(lambda year: (f"{year:02}", 2000 + year)),
)
counted = st.tuples(
    st.sampled_from([".", ".", "-", "T", "w", ".W", "-t"]),
    st.one_of(st.integers(0, 3), st.integers(0, 999)),
    st.sampled_from(["", "0"]),
).map(lambda drawn: (f"{drawn[0]}{drawn[2]}{drawn[1]}", drawn[1]))
plain = st.tuples(years, st.lists(counted, min_size=1, max_size=4)).map(lambda drawn: [drawn[0], *drawn[1]])
times = st.lists(st.integers(0, 99), max_size=3)
days = st.tuples(st.dates(date(1900, 1, 1), date(2099, 12, 31)), times, st.lists(counted, max_size=2))
stamps = days.map(
    lambda drawn: [
        (f"{drawn[0]:%Y%m%d}" + "".join(f"{part:02}" for part in drawn[1]), drawn[0].year),
        ("", drawn[0].month),
        ("", drawn[0].day),
        *([("", int("".join(f"{part:02}" for part in drawn[1])))] if drawn[1] else []),
        *drawn[2],
    ]
)
MODIFIERS: dict[str, tuple[tuple[int, int | str], ...]] = {
    "": RELEASE,
    "Z": RELEASE,
    "rc1": RC1,
    "b2": ((1, "b"), (0, 2)),
    "alpha010": ((1, "alpha"), (0, 10)),
    "-rc.1": RC1,
    ".rc1": RC1,
    "-RC10": ((1, "RC"), (0, 10)),
    "Z-rc.1": RC1,
    "-rc": ((1, "rc"),),
    "-beta.x": ((1, "beta"), (1, "x")),
    "-1abc234": ((1, "1abc234"),),
    ".1abc234-x.7": ((1, "1abc234-x"), (0, 7)),
    "-x-7": ((1, "x-7"),),
}
BUILDS: dict[str, tuple[tuple[int, int | str], ...]] = {"": (), "_7": ((0, 7),), "+b-1.07": ((1, "b-1"), (0, 7))}
calvers = st.tuples(
    st.sampled_from(["", "v"]), plain | stamps, st.sampled_from([*MODIFIERS]), st.sampled_from([*BUILDS])
)


@given(calvers)
def test_every_calendar_version_means_what_it_was_made_of(parts: tuple[str, list[tuple[str, int]], str, str]) -> None:
    v, made_of, modified, build = parts
    text = v + "".join(written for written, _ in made_of) + modified + build
    expected = [value for _, value in made_of] + [0] * (3 - len(made_of))
    while len(expected) > 3 and expected[-1] == 0:
        expected.pop()

    assert numbers(text) == expected
    assert key(text)[4:] == (MODIFIERS[modified], BUILDS[build])


texts = calvers.map(lambda drawn: drawn[0] + "".join(written for written, _ in drawn[1]) + drawn[2] + drawn[3])
nearly = st.text("0129.-_+vTWZabcrx \n\0٣", max_size=16).map("2024{}".format) | st.text(max_size=8)


@given(texts, texts, texts)
def test_calendar_versions_are_in_a_total_order(one: str, two: str, three: str) -> None:
    first, second, third = key(one), key(two), key(three)

    assert (first < second) + (first == second) + (second < first) == 1
    assert not (first < second < third) or first < third


@given(st.lists(texts | nearly))
def test_whatever_reads_can_be_compared_with_all_that_reads(tags: list[str]) -> None:
    keys = [found for tag in tags if (found := CALVER.key(tag)) is not None]

    assert all(one < other or one == other or other < one for one, other in itertools.combinations(keys, 2))


@given(texts | nearly)
def test_what_is_said_of_a_calendar_version_reads_as_the_same_one(text: str) -> None:
    found = CALVER.read(text)

    assert (found is None) == (CALVER.key(text) is None)
    assert found is None or CALVER.read(found[0]) == found


UNITS = ["1", "0", ".1", "-1", "-", ".", "a", "-a", ".a1", "-1a", "T1", ".W1", "W", "Z", "a1", "rc1", "-1abc234", "_1"]


# The ends make the whole fail late, so that an engine that backtracks would try everything.
@given(
    st.sampled_from(["", "v", "2024", "2024.1", "20240115", "24.1-a", "2024.1_b"]),
    st.lists(st.sampled_from(UNITS), min_size=1, max_size=3).map("".join),
    st.sampled_from(["", "!", ".", "\n", "_", "-1a", "é"]),
)
def test_a_hostile_tag_is_read_or_refused(begin: str, repeated: str, end: str) -> None:
    text = (begin + repeated * 256)[: 256 - len(end)] + end

    assert CALVER.key(text) is None or CALVER.read(text) is not None


def test_the_time_to_read_a_tag_is_linear_in_its_length() -> None:
    # Of so many characters a square is minutes. No tag is as long, but the expression does not know.
    began = time.process_time()
    for begin, unit, end in itertools.product(["2024.1", "20240115-a"], UNITS, ["!", "-1a!"]):
        assert calver._CALVER.fullmatch(begin + unit * (20_000 // len(unit)) + end) is None
    assert time.process_time() - began < 5


def admitted(limits: str | None, tags: str, **wanted: Any) -> str:
    policy = Policy.compile(order="calver", range=limits, **wanted)
    return " ".join(tag for tag in tags.split() if policy.judge(tag)[0] is None)


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        pytest.param("*", "24.04 2024.01.15.3 20240115 1000.1", "", id="everything"),
        pytest.param("2024.x", "24.04 2024.12.31 20240115-093000", "2023.12 2025.1", id="a year"),
        pytest.param("2024", "24.04 2024.12.31", "2023.12 2025.1", id="a year alone"),
        pytest.param("24", "24.04 2024.12.31", "2023.12 2025.1", id="a short year alone"),
        pytest.param("~24.04", "24.04 24.04.9 2024-04-30", "24.03.9 24.05", id="a month by tilde"),
        pytest.param("~2024.1", "2024.1 2024.1.31 20240115", "2023.12.31 2024.2", id="a month"),
        pytest.param("202401", "2024.1 2024.1.31 20240115", "2023.12.31 2024.2", id="a month in one"),
        pytest.param("^24.04", "24.04 24.10.1", "24.03 25.01", id="the rest of a year"),
        pytest.param(">=24.04 <24.10", "24.04 24.09.9", "24.03.9 24.10 25.04", id="between two"),
        pytest.param(">=20240115", "20240115 2024.1.15 20240115.3 2025-01-01", "20240114.9 2023.12", id="from a day"),
        pytest.param(">20240115", "20240116", "20240115 20240115.3", id="after a day, all that it counts"),
        pytest.param("<=20240115", "20240115 20240115-235959", "20240116", id="up to a day, all that it counts"),
        pytest.param("<=202401", "20240131", "20240201", id="up to a month"),
        pytest.param(">2024", "25.1", "24.12.31", id="after a year"),
        pytest.param("20240115", "20240115 20240115.3 24.1.15", "20240114 20240116", id="one day"),
        pytest.param("202401.15", "20240115", "20240114 20240116", id="a day of a month in one"),
        pytest.param("2024.01 - 2024.06", "2024.1 2024.06.30", "2023.12.31 2024.7", id="from a month to a month"),
        pytest.param("20240101 - 20240630", "20240101 20240630.9", "20231231 20240701", id="from a day to a day"),
        pytest.param("!=2024.1.15", "2024.1.14 2024.1.16", "2024.1.15 20240115.3 2024-01-15_b", id="but a day"),
        pytest.param("!=2024.1", "2023.12 2024.2", "2024.1 2024.1.15", id="but a month"),
        pytest.param("23.10 || ~24.04", "23.10.2 24.04.1", "23.11 24.05", id="alternatives"),
        pytest.param("v2024.1", "2024.1.3", "2024.2", id="a leading v"),
        pytest.param(">=1.2", "1.2 24.04", "1.1 1999.1", id="what looks like a version is a date"),
        pytest.param("<3.0", "2.9 1999.1", "3.1 2024.1", id="on both sides"),
        pytest.param(">=1000", "1000.1 2024.1", "", id="from the first year"),
    ],
)
def test_a_range_is_of_dates(limits: str, inside: str, outside: str) -> None:
    assert admitted(limits, f"{inside} {outside}") == inside


@pytest.mark.parametrize(
    ("limits", "by_helms_rule", "by_precedence"),
    [
        pytest.param(None, "24.1", "24.1-rc9 24.1rc10 24.1 24.1.5-abc1234 25.1-rc1", id="without a range"),
        pytest.param(">=24", "24.1", "24.1-rc9 24.1rc10 24.1 24.1.5-abc1234 25.1-rc1", id="that names none"),
        pytest.param("<25", "24.1", "24.1-rc9 24.1rc10 24.1 24.1.5-abc1234", id="that ends before one"),
        pytest.param("~24.1-0", "24.1-rc9 24.1rc10 24.1 24.1.5-abc1234", None, id="that names the lowest"),
        pytest.param("~24.1-rc10", "24.1rc10 24.1 24.1.5-abc1234", None, id="that names one"),
        pytest.param("24.1.0-rc9", "24.1-rc9", None, id="that is one"),
        pytest.param("24.1.5-abc1234", "24.1.5-abc1234", None, id="that is one commit"),
    ],
)
def test_prereleases_are_admitted_as_those_of_versions_are(
    limits: str | None, by_helms_rule: str, by_precedence: str | None
) -> None:
    tags = "24.1-rc9 24.1rc10 24.1 24.1.5-abc1234 25.1-rc1"

    assert admitted(limits, tags) == by_helms_rule
    assert admitted(limits, tags, prereleases=True) == (by_precedence or by_helms_rule)


DOTS = "a date in a range is written with dots, such as 2024.01.15, and of its numbers only three count"


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        pytest.param(">=2024-01-15", DOTS, id="a day with hyphens"),
        pytest.param(">=2024-1-15", DOTS, id="a day with hyphens and without zeros"),
        pytest.param("~2024-01", DOTS, id="a month with a hyphen"),
        pytest.param("24-04 || 24-10", DOTS, id="a second month with a hyphen"),
        pytest.param("2024.01-15", DOTS, id="a hyphen behind a dot"),
        pytest.param("2024-01-15 - 2024-06-30", DOTS, id="from a day to a day with hyphens"),
        pytest.param(">=20240115-093000", DOTS, id="a time"),
        pytest.param(">=20240115093000", DOTS, id="a time in one"),
        pytest.param(">=20240115.3", DOTS, id="a fourth number behind a stamp"),
        pytest.param(">=2024.01.15-3", DOTS, id="a fourth number behind a hyphen"),
        pytest.param(">=20241345", "20241345 is no date; write it with dots, such as 2024.01.15", id="no date"),
        pytest.param("<2024011", "2024011 is no date; write it with dots, such as 2024.01.15", id="seven digits"),
        pytest.param("240115", "240115 is no date; write it with dots, such as 2024.01.15", id="YYMMDD"),
        pytest.param(">=3000.1", "3000 is no date; write it with dots, such as 2024.01.15", id="no year"),
    ],
)
def test_a_date_that_no_range_can_mean_is_refused_with_the_cure(limits: str, problem: str) -> None:
    with pytest.raises(InvalidRange) as caught:
        CALVER.limits(limits)

    assert str(caught.value) == f"range {limits!r}: {problem}"


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        pytest.param(">=24.3.0rc1", "position 9: 'r' stands in no version", id="a modifier directly behind a number"),
        pytest.param(">=2024.01.15.3", "position 13: a version has three numbers; leave the rest out", id="a fourth"),
        pytest.param(">2024.2 <2024.1", "can never match: nothing is at least 2024.3.0-0 and below", id="nothing"),
        pytest.param(">24.2 <24-0", "can never match: nothing is at least 2024.3.0-0 and below 2024.0.0-0", id="-0"),
    ],
)
def test_what_is_wrong_with_any_range_is_said_of_this_one_too(limits: str, problem: str) -> None:
    with pytest.raises(InvalidRange) as caught:
        CALVER.limits(limits)

    assert problem in str(caught.value)


def test_a_text_that_is_no_calendar_version_is_told_what_one_is() -> None:
    assert CALVER.why_not("2024") == "is no calendar version such as 2024.01.15, 24.04 or 20240115"
