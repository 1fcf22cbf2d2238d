"""Link headers: only the query of the next page is ever taken from them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.registry.links import LinkError, next_query
from unit.registry.hard_cases import rows


@pytest.mark.parametrize("case", rows("links", identify="lines"))
def test_a_link_header_gives_the_next_query_or_an_error(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(LinkError, match=case["error"]):
            next_query(case["lines"])
    else:
        assert next_query(case["lines"]) == case["query"]


@given(st.lists(st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")), max_size=3))
def test_any_bytes_are_a_query_an_end_or_an_error(lines: list[str]) -> None:
    try:
        next_query(lines)
    except LinkError as error:
        assert str(error).isascii()


@given(st.lists(st.text(alphabet=st.characters(max_codepoint=255), max_size=60), max_size=3))
def test_no_header_breaks_the_request_line(lines: list[str]) -> None:
    try:
        query = next_query(lines)
    except LinkError:
        return
    assert query is None or (query.isascii() and query.isprintable() and " " not in query and "#" not in query)
