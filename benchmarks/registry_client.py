"""What does our registry client cost beside others, how much memory does a very long list take, and how long do a
thousand repositories take?

How: a real registry on loopback, over plain HTTP, is asked for the same by four clients: ours; httpx and aiohttp by
themselves, as one writes it with them (a client or session for all, the status checked, the JSON read); and oras-go,
the Go library that Helm has. Each is a process of its own that does nothing else (what is Python, on uvloop where that
is installed, as the operator), and only one works at a time: so many requests after a few that do not count, one at a
time and eight. The rounds of all take turns, so that what
disturbs the machine disturbs each alike, and of each the round with the least processor time counts, and the
quickest. Processor time is the kernel's. That as many requests were sent by each is checked in the registry's log.
Our limits per host are lifted (the rate by far; eight at once are our default): otherwise they alone were measured.
A list has 999 tags: for a full page without a link to the next, ours asks once more.

Then a process lists ever more tags by our client, and says how much memory it had at its peak. Pages have 1,000 tags
up to 100,000 tags. Beyond, they have 100,000 from the second on, for which a proxy changes the first link: this
registry reads and sorts all tags for each page. The names of the tags are short. At last a process lists a thousand
repositories, eight at a time, once. The registry keeps all of it in memory where there is a /dev/shm.

What it does not say: what TLS, tokens and a far registry add. Eight at a time, the registry has to share the cores
with the client, and how many requests a second there are says more about it than about the client. Ours does more
than the bare clients: it judges addresses, redirects and sizes, verifies digests and checks every tag.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from figures import Figure, Goal, Result, mebibytes, seconds
from kit import faults
from kit.proxy import Proxy
from kit.publisher import MANIFEST_TYPES
from kit.registry import Registry
from kit.requester import Cost, Operation, Requester, Work, oras

OPERATIONS: Final[Mapping[Operation, str]] = {
    "head": "HEAD of a manifest",
    "get": "GET of a manifest",
    "list": "list of 999 tags",
}
AT_ONCE = (1, 8)
BARE = "aiohttp"
BOUND = 2.5  # of aiohttp's processor time

_SHOP, _MANY, _REFERENCE = "bench/shop", "bench/many", "1.0.0"
_TAGS_LISTED = 999
_PAGE, _LONG_PAGE = 1_000, 100_000
_PAGES_KEPT_UP_TO = 100_000
_TAGS_EACH = 10
_ACCEPT = {"accept": ", ".join(MANIFEST_TYPES)}
_TIMEOUT_S = 600
_MEMORY = Path("/dev/shm")  # a million tags take minutes to write to a disk


@dataclass(frozen=True, slots=True)
class Sizes:
    rounds: int
    requests: Mapping[Operation, int]  # of each client in a round
    warm_up: int
    tags: tuple[int, ...]
    repositories: int


QUICK = Sizes(rounds=1, requests={"head": 16, "get": 16, "list": 8}, warm_up=8, tags=(1_000, 10_000), repositories=100)
FULL = Sizes(
    rounds=5,
    requests={"head": 240, "get": 240, "list": 64},
    warm_up=16,
    tags=(1_000, 100_000, 1_000_000),
    repositories=1_000,
)


def measure(*, quick: bool) -> Result:
    sizes = QUICK if quick else FULL
    with Registry.start(max_tags=_LONG_PAGE, parent=_MEMORY if _MEMORY.is_dir() else None) as registry:
        compared = _compare(registry, sizes)
        listed = [_memory(registry, count) for count in sizes.tags]
        repositories = _repositories(registry, sizes.repositories)
    return Result(
        f"Registry client: {sizes.requests['head']} requests ({sizes.requests['list']} lists) a round, "
        f"the best of {sizes.rounds} rounds",
        (*compared, *listed, *repositories),
    )


# Beside others


def _compare(registry: Registry, sizes: Sizes) -> list[Figure]:
    registry.push_chart(_SHOP, "shop", _REFERENCE)
    registry.bulk_tags(_MANY, _names(_TAGS_LISTED))
    works = [
        Work(
            operation,
            _MANY if operation == "list" else _SHOP,
            _REFERENCE,
            requests=sizes.requests[operation],
            at_once=at_once,
            warm_up=sizes.warm_up,
        )
        for operation in OPERATIONS
        for at_once in AT_ONCE
    ]
    costs: dict[tuple[Work, str], list[Cost]] = {}
    with registry.recording() as asked, ExitStack() as running:
        clients = {
            **{name: running.enter_context(_requester(name, registry.host)) for name in CLIENTS},
            "oras-go": running.enter_context(oras(registry.host)),
        }
        for _ in range(sizes.rounds):
            for work in works:
                for name, client in clients.items():
                    costs.setdefault((work, name), []).append(client.do(work))
    sent = Counter(request.agent for request in asked.requests)
    assert len(sent) == len(clients), sent
    assert set(sent.values()) == {sizes.rounds * sum(work.warm_up + work.requests for work in works)}, sent
    return [figure for work in works for figure in _figures(work, {name: costs[work, name] for name in clients})]


def _figures(work: Work, costs: Mapping[str, Sequence[Cost]]) -> list[Figure]:
    title = f"{OPERATIONS[work.operation]}, {work.at_once} at a time"
    cpu_s = {name: min(cost.cpu_s for cost in found) / work.requests for name, found in costs.items()}
    per_s = {name: work.requests / min(cost.seconds for cost in found) for name, found in costs.items()}
    others = [name for name in costs if name != "ours"]
    return [
        *(Figure(f"{title}: CPU per request, {name}", value * 1e6, "µs", digits=0) for name, value in cpu_s.items()),
        *(
            Figure(
                f"{title}: CPU, ours to {name}",
                cpu_s["ours"] / cpu_s[name],
                goal=Goal(BOUND) if name == BARE else None,
            )
            for name in others
        ),
        *(Figure(f"{title}: requests per second, {name}", value, "/s", digits=0) for name, value in per_s.items()),
    ]


def _requester(name: str, host: str) -> Requester:
    return Requester([*_ALONE, "requests", name, host], environment=_environment())


class Client(Protocol):
    """Each method is one request, its answer read."""

    async def head(self, repository: str, reference: str) -> None: ...

    async def get(self, repository: str, reference: str) -> None: ...

    async def list(self, repository: str) -> None: ...


@asynccontextmanager
async def _ours(host: str) -> AsyncIterator[Client]:
    from bundlewatch.registry.client import Access, HostLimits, RegistryClient  # noqa: PLC0415 - only where measured
    from bundlewatch.registry.reference import Repository  # noqa: PLC0415

    access = Access(insecure=True)
    client = RegistryClient(host_limits=HostLimits(concurrency=max(AT_ONCE), rate_per_s=1e9, burst=1_000_000_000))

    class Ours:
        async def head(self, repository: str, reference: str) -> None:
            await client.head_manifest(Repository(host, repository), reference, access=access)

        async def get(self, repository: str, reference: str) -> None:
            await client.get_manifest(Repository(host, repository), reference, access=access)

        async def list(self, repository: str) -> None:
            assert await client.list_tags(Repository(host, repository), access=access)

    try:
        yield Ours()
    finally:
        await client.aclose()


@asynccontextmanager
async def _httpx(host: str) -> AsyncIterator[Client]:
    import httpx  # noqa: PLC0415 - only where measured

    async with httpx.AsyncClient(base_url=f"http://{host}/v2/") as client:

        class Httpx:
            async def head(self, repository: str, reference: str) -> None:
                answer = await client.head(f"{repository}/manifests/{reference}", headers=_ACCEPT)
                answer.raise_for_status()
                assert answer.headers["docker-content-digest"]

            async def get(self, repository: str, reference: str) -> None:
                answer = await client.get(f"{repository}/manifests/{reference}", headers=_ACCEPT)
                answer.raise_for_status()
                assert answer.json()["config"]

            async def list(self, repository: str) -> None:
                answer = await client.get(f"{repository}/tags/list", params={"n": _PAGE})
                answer.raise_for_status()
                assert answer.json()["tags"]

        yield Httpx()


@asynccontextmanager
async def _aiohttp(host: str) -> AsyncIterator[Client]:
    import aiohttp  # noqa: PLC0415 - only where measured

    async with aiohttp.ClientSession(base_url=f"http://{host}/v2/", raise_for_status=True) as session:

        class Aiohttp:
            async def head(self, repository: str, reference: str) -> None:
                async with session.head(f"{repository}/manifests/{reference}", headers=_ACCEPT) as answer:
                    assert answer.headers["docker-content-digest"]

            async def get(self, repository: str, reference: str) -> None:
                async with session.get(f"{repository}/manifests/{reference}", headers=_ACCEPT) as answer:
                    assert (await answer.json(content_type=None))["config"]

            async def list(self, repository: str) -> None:
                async with session.get(f"{repository}/tags/list", params={"n": _PAGE}) as answer:
                    assert (await answer.json())["tags"]

        yield Aiohttp()


CLIENTS: Final[Mapping[str, Callable[[str], AbstractAsyncContextManager[Client]]]] = {
    "ours": _ours,
    "httpx": _httpx,
    "aiohttp": _aiohttp,
}


def _answer_all(runner: asyncio.Runner, name: str, host: str) -> None:
    """The other end of a `Requester`."""
    opened = CLIENTS[name](host)
    client = runner.run(opened.__aenter__())
    for line in sys.stdin:
        print(json.dumps(asdict(runner.run(_do(client, Work(**json.loads(line)))))), flush=True)
    runner.run(opened.__aexit__(None, None, None))


async def _do(client: Client, work: Work) -> Cost:
    def ask() -> Awaitable[None]:
        match work.operation:
            case "head":
                return client.head(work.repository, work.reference)
            case "get":
                return client.get(work.repository, work.reference)
            case "list":
                return client.list(work.repository)

    await _repeat([ask] * work.warm_up, at_once=work.at_once)
    return await _cost(_repeat([ask] * work.requests, at_once=work.at_once))


async def _cost(work: Awaitable[None]) -> Cost:
    began, before_s = time.perf_counter(), _cpu_s()
    await work
    return Cost(seconds=time.perf_counter() - began, cpu_s=_cpu_s() - before_s)


async def _repeat(asks: Sequence[Callable[[], Awaitable[None]]], *, at_once: int) -> None:
    turns = iter(asks)

    async def take_turns() -> None:
        for ask in turns:
            await ask()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(take_turns())


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# Very many tags


def _memory(registry: Registry, count: int) -> Figure:
    repository = f"bench/tags-{count}"
    registry.bulk_tags(repository, _names(count))
    with Proxy.start(registry.host) as proxy:
        if count > _PAGES_KEPT_UP_TO:
            proxy.fault(faults.Lie(_with_longer_pages), when=lambda request: "/tags/" in request.path, times=1)
        host = proxy.host if count > _PAGES_KEPT_UP_TO else registry.host
        found = _alone("tags", host, repository)
    assert found["tags"] == count, found
    return mebibytes(f"{count:,} tags listed, memory of the process at its peak", int(found["peak_bytes"]))


def _with_longer_pages(answer: faults.Response) -> faults.Response:
    """Where the registry goes on from here, it keeps to the size in its own link."""
    link = next(value for name, value in answer.headers.items() if name.lower() == "link")
    return answer.with_header("Link", link.replace(f"n={_PAGE}", f"n={_LONG_PAGE}"))


async def _list_tags(host: str, repository: str) -> dict[str, int]:
    from bundlewatch.registry.client import Access, RegistryClient  # noqa: PLC0415 - only where measured
    from bundlewatch.registry.reference import Repository  # noqa: PLC0415

    client = RegistryClient()
    try:
        tags = await client.list_tags(Repository(host, repository), access=Access(insecure=True))
    finally:
        await client.aclose()
    return {"tags": len(tags), "peak_bytes": _peak_bytes()}


def _peak_bytes() -> int:
    """Of this program: what `getrusage` says is never less than what its parent had."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


# Very many repositories


def _repositories(registry: Registry, count: int) -> list[Figure]:
    first, *others = (f"bench/shop-{number}" for number in range(count))
    registry.bulk_tags(first, _names(_TAGS_EACH))
    registry.copy_repository(first, others)
    with registry.recording() as asked:
        cost = _alone("repositories", registry.host, first, *others)
    title = f"{count:,} repositories of {_TAGS_EACH} tags listed once"
    return [
        seconds(f"{title}, elapsed", cost["seconds"]),
        seconds(f"{title}, CPU", cost["cpu_s"]),
        Figure(f"{title}, requests", len(asked.requests)),
    ]


async def _list_repositories(host: str, repositories: Sequence[str]) -> dict[str, float]:
    async with _ours(host) as client:
        asks = [lambda repository=repository: client.list(repository) for repository in repositories]
        return asdict(await _cost(_repeat(asks, at_once=max(AT_ONCE))))


# Processes of their own

_ALONE = (sys.executable, __file__)


def _alone(*arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [*_ALONE, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=_environment(), timeout=_TIMEOUT_S
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The operator's, for all that are Python."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}


def _names(count: int) -> list[str]:
    return [f"1.{number // 1000}.{number % 1000}" for number in range(count)]


def _child(what: str, *arguments: str) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        match what, arguments:
            case "requests", (name, host):
                _answer_all(runner, name, host)
            case "tags", (host, repository):
                print(json.dumps(runner.run(_list_tags(host, repository))))
            case "repositories", (host, *repositories):
                print(json.dumps(runner.run(_list_repositories(host, repositories))))


if __name__ == "__main__":
    _child(*sys.argv[1:])
