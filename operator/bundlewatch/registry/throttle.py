"""Keeps us gentle: how many requests a host gets at once and per second, and when it is left alone.

Each host has its own queue, so a slow or broken one delays nobody else. A 429 (or a 503 with `Retry-After`)
pushes the whole host back, whoever asked; where a quota runs out, what it counts waits before it comes to that.
After several failures in a row the host's circuit opens: nothing is sent until a while has passed, then one
request tries. Waits grow exponentially, with full jitter above a floor. Knows nothing of what is asked, nor for
whom. Clock and sleep are passed in; times are seconds. Messages carry no numbers that tick: they end up in a
status.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bundlewatch.errors import RateLimited, RegistryUnavailable

_HOSTS_KEPT = 1024
_IDLE_S = 600.0
_MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What one host gets."""

    concurrency: int = 8
    rate_per_s: float = 100.0  # on average
    burst: int = 200  # at once, after a rest
    failures_to_open: int = 5  # in a row
    open_least_s: float = 1.0
    open_s: float = 5.0  # at most, the first time; twice as long each further time
    open_max_s: float = 60.0
    push_back_least_s: float = 1.0  # whatever the hint: GHCR's is of microseconds
    push_back_s: float = 2.0  # at most, the first time and without a hint; twice as long each further time
    push_back_max_s: float = 300.0  # of our own doubling
    hint_max_s: float = 3600.0  # of what a registry asks for
    scarce_rate_per_s: float = 0.5  # at least, however little is left of a quota


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time comes from; tests bring their own."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    def between(self, least: float, most: float) -> float:
        """Full jitter: anything between the two, so that what was refused together does not come back together."""
        return least + max(0.0, most - least) * self.jitter()


class Throttle:
    """`async with throttle.slot(host) as slot:` around each request; `slot` is told how it went."""

    def __init__(self, limits: HostLimits, *, timing: Timing) -> None:
        self._limits = limits
        self._timing = timing
        self._hosts: dict[str, HostQueue] = {}

    def slot(self, host: str, *, limits: HostLimits | None = None, counted: bool = False) -> "Slot":
        """Entering waits for a turn; raises RateLimited or RegistryUnavailable when there is none soon.

        `limits`: of this host, if other than everybody's; always the same for the same host. `counted`: the host's
        quota counts this request, so that it waits where little is left.
        """
        queue = self._hosts.get(host)
        if queue is None:
            self._forget_idle()
            queue = self._hosts[host] = HostQueue(host, limits or self._limits, timing=self._timing)
        return Slot(queue, counted=counted)

    def _forget_idle(self) -> None:
        if len(self._hosts) >= _HOSTS_KEPT:
            self._hosts = {name: queue for name, queue in self._hosts.items() if not queue.is_idle}


class HostQueue:
    """One host's semaphore, token bucket, push-back and circuit."""

    def __init__(self, name: str, limits: HostLimits, *, timing: Timing) -> None:
        self._name = name
        self._limits = limits
        self._timing = timing
        self._free = asyncio.Semaphore(limits.concurrency)
        self._present = 0
        self._paid_until = self._used = timing.clock()  # the bucket, as the time when it is full again (GCRA)
        self._pushed_back_until = 0.0
        self._pushes = 0
        self._failures = 0
        self._last_failure = ""
        self._open_until = 0.0
        self._openings = 0
        self._probing = False
        self._ration_s = 0.0  # between two that the quota counts
        self._scarce_until = 0.0
        self._next_ration = 0.0

    @property
    def is_idle(self) -> bool:
        return not self._present and self._timing.clock() - self._used > _IDLE_S

    async def enter(self, *, counted: bool) -> bool:
        """Wait for a turn; True: this request is the one that tries whether the host is back."""
        self._used = self._timing.clock()
        self._present += 1
        try:
            self._refuse_if_closed()
            if counted:  # before it takes a place, which others need who cost nothing
                await self._await_ration()
            await self._free.acquire()
            try:
                await self._pay()
                self._refuse_if_closed()  # it may have closed while we waited
            except BaseException:
                self._free.release()
                raise
        except BaseException:
            self._present -= 1
            raise
        if self._failures >= self._limits.failures_to_open:
            self._probing = True
            return True
        return False

    def leave(self, *, probe: bool) -> None:
        if probe:
            self._probing = False
        self._present -= 1
        self._free.release()

    def succeeded(self) -> None:
        self._failures = self._openings = self._pushes = 0

    def failed(self, cause: str) -> None:
        now = self._timing.clock()
        self._failures += 1
        self._last_failure = cause
        if self._failures >= self._limits.failures_to_open and now >= self._open_until:
            doubled = self._limits.open_s * 2.0 ** min(self._openings, _MAX_DOUBLINGS)
            most = min(doubled, self._limits.open_max_s)
            self._open_until = now + self._timing.between(min(self._limits.open_least_s, most), most)
            self._openings += 1

    def push_back(self, hint_s: float | None) -> float:
        now = self._timing.clock()
        if now >= self._pushed_back_until:  # several answers of one burst count once
            self._pushes += 1
        doubled = self._limits.push_back_s * 2.0 ** min(self._pushes - 1, _MAX_DOUBLINGS)
        own = self._timing.between(self._limits.push_back_least_s, min(doubled, self._limits.push_back_max_s))
        wait = max(own, min(hint_s or 0.0, self._limits.hint_max_s))
        self._pushed_back_until = max(self._pushed_back_until, now + wait)
        return self._pushed_back_until - now

    def ration(self, remaining: int, *, within_s: float) -> None:
        """Few requests are left of a quota: no burst, and not all of them within a minute."""
        self._ration_s = 1 / max(remaining / 60.0, self._limits.scarce_rate_per_s)
        self._scarce_until = self._timing.clock() + within_s

    def unration(self) -> None:
        self._scarce_until = 0.0

    async def _await_ration(self) -> None:
        now = self._timing.clock()
        if now >= self._scarce_until:
            self._next_ration = now
            return
        wait = self._next_ration - now
        self._next_ration = max(self._next_ration, now) + self._ration_s
        if wait > 0:
            await self._timing.sleep(wait)

    async def _pay(self) -> None:
        now = self._timing.clock()
        cost = 1 / self._limits.rate_per_s
        self._paid_until = max(self._paid_until, now) + cost
        wait = self._paid_until - now - self._limits.burst * cost
        if wait > 0:
            await self._timing.sleep(wait)

    def _refuse_if_closed(self) -> None:
        now = self._timing.clock()
        if now < self._pushed_back_until:
            raise RateLimited(
                f"{self._name} asked for fewer requests and is left alone for a while",
                retry_after_s=self._pushed_back_until - now,
            )
        is_open = self._failures >= self._limits.failures_to_open
        if is_open and (self._probing or now < self._open_until):
            raise RegistryUnavailable(
                f"{self._name} failed several times in a row and is left alone for a moment; "
                f"the last time it {self._last_failure}"
            )


class Slot:
    """One request's turn at a host."""

    __slots__ = ("_counted", "_probe", "_queue")

    def __init__(self, queue: HostQueue, *, counted: bool) -> None:
        self._queue = queue
        self._counted = counted
        self._probe = False

    def succeeded(self) -> None:
        """The host answered sensibly, whatever it said."""
        self._queue.succeeded()

    def failed(self, cause: str) -> None:
        """The host could not serve. `cause` goes on after "it …" and names no repository: others will see it."""
        self._queue.failed(cause)

    def push_back(self, hint_s: float | None) -> float:
        """The host wants fewer requests, for `hint_s` or without saying; returns how long it is left alone."""
        return self._queue.push_back(hint_s)

    def ration(self, remaining: int, *, within_s: float) -> None:
        """So few requests are left to the host's quota for the next `within_s`: what it counts goes more slowly."""
        self._queue.ration(remaining, within_s=within_s)

    def unration(self) -> None:
        """There is enough left again."""
        self._queue.unration()

    async def __aenter__(self) -> Self:
        self._probe = await self._queue.enter(counted=self._counted)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.leave(probe=self._probe)
