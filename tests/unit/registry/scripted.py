"""A client whose network is a function: what is asked is written down, what is answered is decided here.

No sockets; time turns only by sleeping. Only the registry is played, nothing of our own.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx

from bundlewatch.registry.client import HostLimits, ListingLimits, RegistryClient, Timeouts
from bundlewatch.registry.proxies import Proxies
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.throttle import Timing
from bundlewatch.registry.transport import Transport

Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]

REPOSITORY = Repository("registry.example.com", "shop/bundle")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OPEN_LIMITS = HostLimits(rate_per_s=1e9, burst=10**9, failures_to_open=10**9)


@dataclass(slots=True)
class Time:
    """Seconds that pass only when somebody sleeps."""

    now_s: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def timing(self) -> Timing:
        return Timing(clock=self.clock, sleep=self.sleep, jitter=lambda: 1.0)


@dataclass(slots=True)
class Played:
    client: RegistryClient
    requests: list[httpx.Request]
    time: Time

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.requests]

    @property
    def authorizations(self) -> list[str | None]:
        return [request.headers.get("authorization") for request in self.requests]


def play(
    handler: Handler,
    *,
    host_limits: HostLimits = OPEN_LIMITS,
    limits_by_host: Mapping[str, HostLimits] | None = None,
    proxies: Proxies | None = None,
    listing_limits: ListingLimits | None = None,
    timeouts: Timeouts | None = None,
) -> Played:
    """A client of which every request goes to `handler`."""
    requests: list[httpx.Request] = []
    time = Time()

    async def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        response = handler(request)
        return await response if isinstance(response, Awaitable) else response

    timeouts = timeouts or Timeouts()
    client = RegistryClient(
        timeouts=timeouts,
        host_limits=host_limits,
        limits_by_host=limits_by_host,
        listing_limits=listing_limits,
        transport=Transport(timeouts=timeouts, proxies=proxies or Proxies(), inner=httpx.MockTransport(answer)),
        timing=time.timing(),
        now=lambda: NOW,
    )
    return Played(client, requests, time)


def in_turn(*responses: httpx.Response | Exception) -> Handler:
    """One answer after the other; the last one for ever."""
    left = list(responses)

    def answer(_: httpx.Request) -> httpx.Response:
        response = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(response, Exception):
            raise response
        return response

    return answer


def page(tags: Iterable[str] | None, *, link: str | None = None) -> httpx.Response:
    names = None if tags is None else list(tags)
    return httpx.Response(200, json={"name": "shop/bundle", "tags": names}, headers={"link": link} if link else None)


def refused(status: int, code: str, message: str = "", **headers: str) -> httpx.Response:
    body = {"errors": [{"code": code, "message": message, "detail": None}]}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def form_of(request: httpx.Request) -> Mapping[str, list[str]]:
    return parse_qs(request.content.decode())


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@dataclass(slots=True)
class TokenRegistry:
    """A registry behind a token server on another host; grants what `accounts` may have."""

    accounts: dict[str, str]
    realm: str = "https://auth.example.com/token"
    service: str = "registry.example.com"
    answer_extra: dict[str, object] = field(default_factory=lambda: {"expires_in": 300})
    public: bool = False
    issued: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    token_requests: list[httpx.Request] = field(default_factory=list)
    oauth_status: int = 200
    refresh_tokens: dict[str, str] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(self.realm):
            self.token_requests.append(request)
            return self._grant(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.issued and token not in self.revoked:
            return page(["1.0.0"])
        challenge = f'Bearer realm="{self.realm}",service="{self.service}",scope="repository:wrong:pull"'
        return refused(401, "UNAUTHORIZED", "authentication required", www_authenticate=challenge)

    def _grant(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            if self.oauth_status != 200:
                return httpx.Response(self.oauth_status)
            if form_of(request)["refresh_token"][0] not in self.refresh_tokens:
                return httpx.Response(400, json={"error": "invalid_grant", "error_description": "no such token"})
            return self._token("access_token")
        authorization = request.headers.get("authorization")
        if authorization is None and self.public:
            return self._token("token")
        if authorization not in {basic(name, password) for name, password in self.accounts.items()}:
            return httpx.Response(401, json={"details": "incorrect username or password"})
        return self._token("token")

    def _token(self, field_name: str) -> httpx.Response:
        self.issued.append(f"token-{len(self.issued)}-of-the-registry")
        return httpx.Response(200, content=json.dumps({field_name: self.issued[-1], **self.answer_extra}))
