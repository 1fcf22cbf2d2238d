"""Token realms: who may see a credential."""

import pytest

from bundlewatch.registry.access import Access, Errand, Journal
from bundlewatch.registry.realms import RealmError, check
from bundlewatch.registry.reference import parse_repository
from unit.registry.hard_cases import rows


@pytest.mark.parametrize("case", rows("realms", identify="realm"))
def test_a_realm_is_asked_or_refused(case: dict[str, str]) -> None:
    repository = parse_repository(f"{case['host']}/team/app")
    origin = Errand(repository, Access(insecure=bool(case.get("insecure"))), Journal(1)).origin
    if "error" in case:
        with pytest.raises(RealmError, match=case["error"]):
            check(case["realm"], registry=origin, host=repository.host)
    else:
        assert str(check(case["realm"], registry=origin, host=repository.host)) == case["realm"]
