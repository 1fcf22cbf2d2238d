"""Proxies: the environment means here what it means to a Go program, and no login is ever shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.registry.proxies import Proxies, ProxyError
from bundlewatch.registry.urls import Url
from unit.registry.hard_cases import rows


@pytest.mark.parametrize("case", rows("proxies", identify="url"))
def test_a_url_goes_through_the_proxy_that_go_would_take(case: dict[str, str | None]) -> None:
    names = {"HTTP_PROXY": "http", "HTTPS_PROXY": "https", "NO_PROXY": "none"}
    environment = {variable: value for variable, column in names.items() if (value := case.get(column)) is not None}
    url = Url.parse(str(case["url"]))
    assert url is not None
    if (error := case.get("error")) is not None:
        with pytest.raises(ProxyError, match=error) as caught:
            Proxies.from_environment(environment)
        assert "hunter2" not in str(caught.value)
        return
    proxy = Proxies.from_environment(environment).proxy_for(url.origin)
    assert (str(proxy) if proxy else None) == case["proxy"]


def test_capitals_go_before_small_letters_and_nothing_counts_for_nothing() -> None:
    url = Url.parse("https://registry.example.com")
    assert url is not None
    for environment, host in (
        ({"https_proxy": "small", "HTTPS_PROXY": "large"}, "large"),
        ({"https_proxy": "small", "HTTPS_PROXY": ""}, "small"),
    ):
        proxy = Proxies.from_environment(environment).proxy_for(url.origin)
        assert proxy is not None
        assert proxy.origin.host == host


def test_a_login_is_decoded_and_never_shown() -> None:
    proxies = Proxies.from_environment({"HTTPS_PROXY": "http://us%20er:p%40ss:w0rd@proxy:3128"})
    assert proxies.https is not None
    assert (proxies.https.username, proxies.https.password) == ("us er", "p@ss:w0rd")
    assert "w0rd" not in f"{proxies} {proxies!r} {proxies.https}"
    assert "us er" not in f"{proxies} {proxies!r} {proxies.https}"


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_a_decision_or_a_mistake(proxy: str, none: str) -> None:
    url = Url.parse("https://registry.example.com")
    assert url is not None
    try:
        Proxies.from_environment({"HTTPS_PROXY": proxy, "NO_PROXY": none}).proxy_for(url.origin)
    except ProxyError as error:
        assert "HTTPS_PROXY" in str(error)
