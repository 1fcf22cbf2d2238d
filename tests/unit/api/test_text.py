"""Whatever a registry or Argo CD says fits into status: short, printable, one line."""

from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api.text import clean

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT, st.integers(1, 40))
def test_any_text_becomes_one_short_printable_line(text: str, max_length: int) -> None:
    cleaned = clean(text, max_length=max_length)

    assert len(cleaned) <= max_length
    assert cleaned.isprintable()
    cleaned.encode("utf-8")  # no half of a surrogate pair is left


@given(ANY_TEXT, st.integers(1, 40))
def test_cleaning_what_is_clean_changes_nothing(text: str, max_length: int) -> None:
    cleaned = clean(text, max_length=max_length)

    assert clean(cleaned, max_length=max_length) == cleaned


def test_a_cut_is_visible() -> None:
    assert clean("a long message", max_length=7) == "a long…"
    assert clean("exactly", max_length=7) == "exactly"


def test_control_and_direction_characters_do_not_reach_a_terminal() -> None:
    assert clean("one\r\n\x1b[31mtwo\u202ethree", max_length=40) == "one   [31mtwo three"
