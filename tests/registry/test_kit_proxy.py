"""The faults that other tests rely on reach the client as what they are called."""

import http.client
import json
import time
from collections.abc import Iterator

import pytest

from kit import faults
from kit.proxy import Proxy
from kit.publisher import Publisher
from kit.registry import Registry

TAGS = ["1.0.0", "1.0.1", "1.0.2"]


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with Proxy.start(registry.host) as proxy:
        yield proxy


@pytest.fixture
def listing(registry: Registry, repository: str) -> str:
    """Where the tags are listed."""
    registry.bulk_tags(repository, TAGS)
    return f"/v2/{repository}/tags/list"


def get(proxy: Proxy, path: str, *, timeout_s: float = 0.5) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("localhost", proxy.port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_without_a_fault_the_answer_is_the_registrys(proxy: Proxy, listing: str) -> None:
    status, body = get(proxy, listing)

    assert (status, json.loads(body)["tags"]) == (200, TAGS)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(faults.Hang(), TimeoutError, id="hang"),
        pytest.param(faults.HangInBody(after_bytes=5), TimeoutError, id="hang in the body"),
        pytest.param(faults.Reset(), ConnectionResetError, id="reset"),
        pytest.param(faults.Reset(at_byte=5), ConnectionResetError, id="reset in the body"),
        pytest.param(faults.HalfBody(), http.client.IncompleteRead, id="half a body"),
        pytest.param(faults.WrongLength(by_bytes=10), http.client.IncompleteRead, id="too long a length"),
        pytest.param(faults.CutChunks(), http.client.IncompleteRead, id="cut chunks"),
        pytest.param(faults.Garbage(), http.client.BadStatusLine, id="garbage"),
    ],
)
def test_a_fault_breaks_the_answer(fault: faults.Fault, error: type[Exception], proxy: Proxy, listing: str) -> None:
    proxy.fault(fault)

    with pytest.raises(error):
        get(proxy, listing)

    proxy.clear()
    assert get(proxy, listing)[0] == 200


def test_too_short_a_length_cuts_the_body_and_looks_fine(proxy: Proxy, listing: str) -> None:
    proxy.fault(faults.WrongLength(by_bytes=-10))

    status, body = get(proxy, listing)

    assert status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(body)


def test_an_answer_can_be_dripped(proxy: Proxy, listing: str) -> None:
    proxy.fault(faults.Drip(bytes_at_once=20, every_s=0.05))
    started = time.monotonic()

    status, body = get(proxy, listing)

    assert (status, json.loads(body)["tags"]) == (200, TAGS)
    assert time.monotonic() - started > 0.05 * (len(body) // 20)


def test_an_answer_can_be_another_one_for_a_while(proxy: Proxy, listing: str) -> None:
    proxy.fault(faults.too_many_requests(), times=2)

    assert [get(proxy, listing)[0] for _ in range(3)] == [429, 429, 200]


def test_a_fault_is_done_to_the_requests_it_is_meant_for(proxy: Proxy, listing: str) -> None:
    proxy.fault(faults.Status(503), when=lambda request: request.path == listing)

    assert get(proxy, listing)[0] == 503
    assert get(proxy, "/v2/")[0] == 200
    assert [(seen.path, type(seen.fault)) for seen in proxy.requests] == [
        (listing, faults.Status),
        ("/v2/", faults.Pass),
    ]


def test_a_true_answer_can_be_falsified(proxy: Proxy, listing: str) -> None:
    proxy.fault(faults.Lie(lambda response: response.with_header("Link", '<http://evil.example/>; rel="next"')))
    connection = http.client.HTTPConnection("localhost", proxy.port, timeout=5)

    connection.request("GET", listing)
    response = connection.getresponse()

    assert response.headers["Link"] == '<http://evil.example/>; rel="next"'
    assert json.loads(response.read())["tags"] == TAGS
    connection.close()


def test_a_refused_connection_is_accepted_again_on_the_same_port(proxy: Proxy, listing: str) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        get(proxy, listing)

    proxy.accept()

    assert get(proxy, listing)[0] == 200


def test_a_publisher_can_push_through_it(proxy: Proxy, registry: Registry, repository: str) -> None:
    through = Publisher(url=proxy.url)

    digest = through.push_chart(repository, "shop", "1.0.0")

    head = registry.request("HEAD", f"/v2/{repository}/manifests/1.0.0")
    assert head.headers["Docker-Content-Digest"] == digest
    through.close()
