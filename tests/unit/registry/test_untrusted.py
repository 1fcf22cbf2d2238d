"""Text of a registry: one short printable line without secrets."""

from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.registry.untrusted import clean


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_what_is_shown_is_short_and_printable(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


@given(st.text(), st.text(alphabet="abcXYZ\n -$%é", min_size=4, max_size=20), st.text(), st.integers(8, 60))
def test_a_secret_does_not_come_through(before: str, secret: str, after: str, limit: int) -> None:
    if len(" ".join(secret.split())) >= 4:
        shown = clean(f"{before}{secret}{after}", limit, hide=[secret])
        assert " ".join(secret.split()) not in shown


def test_a_cut_does_not_leave_half_a_secret() -> None:
    assert "hunt" not in clean("password: hunter2-hunter2", 16, hide=["hunter2-hunter2"])


def test_log_forging_and_terminal_escapes_are_flattened() -> None:
    assert clean("a\r\nERROR fake\x1b[31m\u202ered\x00", 99) == "a ERROR fake [31m red"
