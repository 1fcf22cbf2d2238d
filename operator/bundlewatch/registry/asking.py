"""One question to one registry: with its login, its redirects, and in its turn.

What is asked goes out with the authorization that is wanted; a 401 is answered once. Redirects are followed as far
as they may go, and what leaves the registry's origin leaves without our headers. Every call waits for its host's
turn, and the throttle hears how it went. Knows nothing of what the answers mean.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from bundlewatch.errors import RegistryMisbehaved, UnusableContent
from bundlewatch.registry import failures, quotas, redirects
from bundlewatch.registry.access import Errand
from bundlewatch.registry.auth import TOKEN_ANSWER_BYTES, Authenticator
from bundlewatch.registry.call_errors import Blame, CallError
from bundlewatch.registry.quotas import Quota, Quotas
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.throttle import HostLimits, Slot, Throttle, Timing
from bundlewatch.registry.transport import Answer, Transport
from bundlewatch.registry.urls import DEFAULT_PORTS, Origin, Url


class Asker:
    """`ask()` is what it is for; `aclose()` when done."""

    def __init__(
        self,
        transport: Transport,
        *,
        host_limits: HostLimits,
        limits_by_host: Mapping[str, HostLimits],
        timing: Timing | None,
        now: Callable[[], datetime],
    ) -> None:
        self._transport = transport
        self._timing = timing or Timing(clock=time.monotonic)
        self._throttle = Throttle(host_limits, timing=self._timing)
        self._limits = _by_origin(limits_by_host)
        self._quotas = Quotas(clock=self._timing.clock)
        self._auth = Authenticator(ask=self._ask_token_server, clock=self._timing.clock)
        self._now = now

    async def ask(
        self,
        errand: Errand,
        method: str,
        url: Url,
        *,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        may_leave: bool = False,
    ) -> Answer:
        """The registry's answer, whatever its status but 401 and 403. `may_leave`: a redirect may lead elsewhere."""
        authorization = await self._auth.anticipate(errand)
        answer = await self._follow(
            errand, method, url, _with(headers, authorization), max_bytes=max_bytes, may_leave=may_leave
        )
        if answer.status == 401:
            authorization = await self._auth.answer(errand, answer, refused=authorization)
            answer = await self._follow(
                errand, method, url, _with(headers, authorization), max_bytes=max_bytes, may_leave=may_leave
            )
        if answer.status in {401, 403}:
            # What a token may do was settled when it was given: a permission granted since needs another one.
            self._auth.forget(errand, authorization)
            raise failures.of_answer(errand, answer)
        return answer

    def quotas(self) -> Mapping[str, Quota]:
        """What each registry host last said is left of its quota."""
        return self._quotas.all()

    async def aclose(self) -> None:
        """End what is under way and close all connections."""
        await self._auth.aclose()
        await self._transport.aclose()

    async def _follow(
        self, errand: Errand, method: str, url: Url, headers: dict[str, str], *, max_bytes: int, may_leave: bool
    ) -> Answer:
        home = url.origin
        for _ in range(redirects.MAX_HOPS + 1):
            answer = await self._exchange(errand, method, url, headers=headers, max_bytes=max_bytes)
            if answer.status not in redirects.STATUSES:
                if url.origin != home and answer.status != 200:
                    raise failures.of_redirected(errand, url.origin, answer)
                return answer
            try:
                url = redirects.follow(
                    answer.header("location"), at=url, may_leave=may_leave, insecure=errand.access.insecure
                )
            except redirects.RedirectError as error:
                raise misbehaved(errand, f"answers with a redirect that {error}") from None
            if url.origin != home:
                headers = {}
        raise misbehaved(errand, f"redirects more than {redirects.MAX_HOPS} times")

    async def _ask_token_server(
        self, errand: Errand, method: str, url: Url, *, headers: dict[str, str], content: bytes | None
    ) -> Answer:
        try:
            answer = await self._exchange(
                errand, method, url, headers=headers, max_bytes=TOKEN_ANSWER_BYTES, content=content
            )
        except UnusableContent as error:  # not of what was asked for
            raise RegistryMisbehaved(str(error)) from None
        if answer.status in redirects.STATUSES:
            raise misbehaved(errand, f"has a token server, {url.origin.authority}, that answers with a redirect")
        self._note_quota(errand, answer)
        return answer

    async def _exchange(
        self,
        errand: Errand,
        method: str,
        url: Url,
        *,
        headers: dict[str, str],
        max_bytes: int,
        content: bytes | None = None,
    ) -> Answer:
        """One call in its turn; the throttle hears how it went. Raises RateLimited and what `of_call` makes."""
        host = url.origin.authority
        # By origin, not by host: https on a port that speaks http says nothing about http there.
        turn = self._throttle.slot(
            str(url.origin), limits=self._limits.get(url.origin), counted=_counts(errand, method, url)
        )
        async with turn as slot:
            within_s = errand.remaining_s()
            errand.journal.told.update(self._transport.secret_texts)
            if "authorization" in headers:
                errand.journal.told.add(headers["authorization"].partition(" ")[2])
            started = self._timing.clock()
            try:
                answer = await self._transport.call(
                    method,
                    url,
                    headers=headers,
                    max_bytes=max_bytes,
                    ca_pem=errand.access.ca_pem,
                    certificate=errand.access.certificate if url.origin == errand.origin else None,
                    guarded=url.origin.host != errand.origin.host,
                    content=content,
                    within_s=within_s,
                )
            except CallError as error:
                failure = error
                if error.blame is Blame.OUTAGE:
                    slot.failed(error.cause)
            else:
                if url.origin == errand.origin:  # where we are redirected to has no say
                    _ration(slot, self._note_quota(errand, answer))
                if failures.is_rate_limit(answer):
                    wait_s = slot.push_back(failures.retry_after_s(answer, now=self._now()))
                    raise failures.rate_limited(errand, host, answer, wait_s=wait_s)
                if failures.is_outage(answer.status):
                    slot.failed(f"answered {answer.status}")
                else:
                    slot.succeeded()
                return answer
            finally:
                errand.journal.spend(self._timing.clock() - started)
        raise failures.of_call(errand, host, failure)

    def _note_quota(self, errand: Errand, answer: Answer) -> Quota | None:
        """What is left for the registry now, by itself or its token server; None: nothing was said."""
        said = quotas.parse(
            limit=answer.header("ratelimit-limit"),
            remaining=answer.header("ratelimit-remaining"),
            source=answer.header("docker-ratelimit-source"),
        )
        return self._quotas.note(errand.origin.authority, said) if said is not None else None


def misbehaved(errand: Errand, what: str) -> RegistryMisbehaved:
    return RegistryMisbehaved(f"{errand}: {errand.origin.authority} {what}")


def _by_origin(limits_by_host: Mapping[str, HostLimits]) -> Mapping[Origin, HostLimits]:
    """By where requests go: `reg.local:80`, asked by plain HTTP, is `reg.local`. A host with its port goes first."""
    found: dict[Origin, HostLimits] = {}
    for host, limits in sorted(limits_by_host.items(), key=lambda named: ":" in named[0].rpartition("]")[2]):
        for scheme in DEFAULT_PORTS:
            url = Url.parse(f"{scheme}://{Repository(host, '').api_host}")
            assert url is not None, "the grammar of references is narrower than that of URLs"
            found[url.origin] = limits
    return found


def _counts(errand: Errand, method: str, url: Url) -> bool:
    """Whether a quota counts the request: it is the pull of a manifest, by Docker Hub's definition."""
    pulls = errand.url("manifests/")
    return method == "GET" and url.origin == pulls.origin and url.path.startswith(pulls.path)


def _ration(slot: Slot, least: Quota | None) -> None:
    if least is None:
        return
    if least.is_scarce:
        slot.ration(least.remaining, within_s=least.window_s)
    else:
        slot.unration()


def _with(headers: Mapping[str, str] | None, authorization: str | None) -> dict[str, str]:
    return {**(headers or {}), **({"authorization": authorization} if authorization else {})}
