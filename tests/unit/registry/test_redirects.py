"""Redirects: blobs may leave, nothing else does, and nobody is led inside."""

import pytest

from bundlewatch.registry.redirects import RedirectError, follow
from bundlewatch.registry.urls import Url
from unit.registry.hard_cases import rows


@pytest.mark.parametrize("case", rows("redirects", identify="location"))
def test_a_redirect_is_followed_or_refused(case: dict[str, str]) -> None:
    at = Url.parse(case["at"])
    assert at is not None
    may_leave, insecure = bool(case.get("blob")), bool(case.get("insecure"))
    if "error" in case:
        with pytest.raises(RedirectError, match=case["error"]):
            follow(case["location"], at=at, may_leave=may_leave, insecure=insecure)
    else:
        assert str(follow(case["location"], at=at, may_leave=may_leave, insecure=insecure)) == case["target"]
