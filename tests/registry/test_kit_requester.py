"""The Go client asks as often as it is told to, and an end without an answer is told."""

import pytest

from kit.registry import Registry
from kit.requester import Operation, Work, oras
from kit.room import ProcessError


def work(operation: Operation, repository: str, reference: str = "1.0.0") -> Work:
    return Work(operation, repository, reference, requests=20, at_once=4, warm_up=5)


@pytest.mark.parametrize(
    ("operation", "request_line"),
    [("head", "HEAD manifests/1.0.0"), ("get", "GET manifests/1.0.0"), ("list", "GET tags/list")],
)
def test_every_request_arrives_and_costs(
    registry: Registry, repository: str, operation: Operation, request_line: str
) -> None:
    registry.push_chart(repository, "shop", "1.0.0")

    with registry.recording() as asked, oras(registry.host) as client:
        cost = client.do(work(operation, repository))

    lines = [f"{request.method} {request.path.removeprefix(f'/v2/{repository}/')}" for request in asked.requests]
    assert lines == [request_line] * 25
    assert cost.seconds > 0
    assert cost.cpu_s > 0


def test_what_cannot_be_done_is_told(registry: Registry, repository: str) -> None:
    registry.push_chart(repository, "shop", "1.0.0")

    with oras(registry.host) as client, pytest.raises(ProcessError, match=r"ended: oras: .*2\.0\.0: not found"):
        client.do(work("head", repository, "2.0.0"))
