"""The difference between two statuses."""

from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.cluster.status import merge_patch

values = st.recursive(
    st.integers(0, 3) | st.sampled_from(["a", "b"]) | st.lists(st.integers(0, 2), max_size=3),
    lambda children: st.dictionaries(st.sampled_from("xyz"), children, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("pqr"), values, max_size=3)


def applied(target: object, patch: object) -> object:
    """RFC 7386, section 2, to the letter."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = applied(result.get(key), value)
    return result


@given(objects, objects)
def test_the_patch_turns_the_old_into_the_new(old: dict[str, object], new: dict[str, object]) -> None:
    assert applied(old, merge_patch(old, new)) == new


@given(objects)
def test_equal_statuses_need_no_write(status: dict[str, object]) -> None:
    assert merge_patch(status, dict(status)) == {}


def test_only_what_changed_is_written_and_a_bundle_is_written_whole() -> None:
    old = {"summary": "a", "candidate": {"tag": "1.0.0", "digest": "x"}, "verdicts": [1]}
    new = {"summary": "a", "candidate": {"tag": "1.0.1", "digest": "x"}}

    assert merge_patch(old, new) == {"candidate": {"tag": "1.0.1", "digest": "x"}, "verdicts": None}
