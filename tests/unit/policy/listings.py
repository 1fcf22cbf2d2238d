"""Made-up listings for the properties: tags of each order, most of them close to each other, some of them equal."""

from hypothesis import strategies as st

from bundlewatch.policy.orders import ORDERS
from bundlewatch.policy.policy import Policy

SIGNATURE = f"sha256-{'0123456789abcdef' * 4}.sig"

_numbers = st.integers(0, 3) | st.integers(0, 12)

TAGS: dict[str, st.SearchStrategy[str]] = {
    "semver": st.builds(
        "{}{}.{}{}{}".format,
        st.sampled_from(["", "", "v"]),
        _numbers,
        _numbers,
        st.sampled_from(["", "", ".0", "-rc.1", "-rc.2", ".1-0"]),
        st.sampled_from(["", "", "_1", "_10", "_b"]),
    ),
    "calver": st.builds(
        "{}{}{}".format,
        st.sampled_from(["2024.", "24.", "v24.0", "2024-", "20240"]),
        _numbers,
        st.sampled_from(["", ".0", "-rc1", "rc1", "_b", "-1", "a"]),
    ),
    "numerical": st.builds("{}{}{}".format, st.sampled_from(["", "0"]), _numbers, st.sampled_from(["", ".0", ".5"])),
    "alphabetical": st.text("-._019AZaz", min_size=1, max_size=3),
}

OTHERS = st.sampled_from([SIGNATURE, "cleanup", "latest", "v", "x", "1.0.0-01", "7" * 56]) | st.text(max_size=8)

orders = st.sampled_from([*ORDERS])


def tags(order: str) -> st.SearchStrategy[str]:
    """A tag that may be in the listing of somebody who wants this order."""
    return TAGS[order] | TAGS[order] | OTHERS


def policies(order: str) -> st.SearchStrategy[Policy]:
    ranges = [None, ">=3", ">=2-0 <8", "2024.3 - 2024.8", "1 || >2.1, !=2.2"]
    return st.builds(
        Policy.compile,
        order=st.just(order),
        direction=st.sampled_from(["Ascending", "Descending"]),
        pattern=st.sampled_from([None, None, "^v(?P<version>.+)$", "^(?P<version>.+)[0-5]", "[0-9]"]),
        exclude=st.sampled_from([(), ("*b",), ("1*", "v*")]),
        range=st.sampled_from(ranges if order in {"semver", "calver"} else [None]),
        prereleases=st.booleans(),
        pin=st.sampled_from([None, None, None, "1.0", "24.1", "7", "x"]),
    )
