"""Which cloud may be asked for which host, and logins kept: one call for all who wait, renewed before they end.

A login is used for four fifths of its life and at most an hour, also one of AWS' that would last twelve: what an
admin takes away from the role is gone within the hour, for one more call. Where a renewal fails, the old login is
used to its end. What failed is not asked again for ten seconds, however many want it. A renewed login shows the
same identity as before, so that nobody takes it for another's. Who writes BundleWatches chooses the hosts, so the
logins that are kept are counted.
"""

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from bundlewatch.errors import IdentityUnavailable, InvalidSpec
from bundlewatch.registry import flights
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.hosts import Cloud
from bundlewatch.registry.providers.aws import Aws
from bundlewatch.registry.providers.azure import Azure
from bundlewatch.registry.providers.base import Login, Provider, Site, Surroundings
from bundlewatch.registry.providers.gcp import Gcp
from bundlewatch.registry.proxies import Proxies
from bundlewatch.registry.transport import Timeouts, Transport

_USED_OF_LIFE: Final = 0.8
_LONGEST_S: Final = 3600.0
_SHORTEST_S: Final = 10.0
_FAILURE_HOLDS_S: Final = 10.0
_KEPT: Final = 1024
_TIMEOUTS: Final = Timeouts(connect_s=3.0, read_s=10.0, call_s=15.0)  # a metadata service that is not there hangs


@dataclass(slots=True)
class _Kept:
    credential: Credential | None = None
    renew_at: float = 0.0
    ends_at: float = 0.0
    failure: IdentityUnavailable | None = None
    flight: "asyncio.Task[None] | None" = None


class Identities:
    """The operator's identities in the clouds. `credential()` is all there is; `aclose()` when done."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        cloud_hosts: Mapping[str, Cloud] | None = None,
        proxies: Proxies | None = None,
        timeouts: Timeouts = _TIMEOUTS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`cloud_hosts`: hosts that are a cloud's though their names do not tell, by `Repository.host`."""
        self._clock = clock
        self._cloud_hosts = cloud_hosts or {}
        services = frozenset(origin for made in (Aws, Gcp, Azure) for origin in made.services(environ))
        self._transport = Transport(timeouts=timeouts, proxies=proxies or Proxies(), services=services)
        around = Surroundings(self._transport, environ, now)
        self._providers: dict[Cloud, Provider] = {"aws": Aws(around), "gcp": Gcp(around), "azure": Azure(around)}
        self._kept: dict[tuple[Cloud, str, bytes], _Kept] = {}

    async def credential(self, cloud: Cloud, host: str, *, ca_pem: bytes | None) -> Credential:
        """The login for a registry host. Raises InvalidSpec when it is not that cloud's, else IdentityUnavailable."""
        provider = self._providers[cloud]
        if not provider.owns(host) and self._cloud_hosts.get(host) != cloud:
            raise InvalidSpec(
                f"spec.access.provider is {cloud}, but {host} is no registry of that cloud ({provider.hosts}), and "
                "the operator's identity is not sent anywhere else; correct the provider, or have whoever runs the "
                f"operator name the host with cloud: {cloud} in the file of --registry-config"
            )
        kept = self._kept_for((cloud, host, hashlib.sha256(ca_pem or b"").digest()))
        if self._clock() >= kept.renew_at:
            if kept.flight is None:
                kept.flight = flights.begin(self._renew(cloud, Site(host, ca_pem), kept))
            await asyncio.shield(kept.flight)
        if kept.credential is not None and self._clock() < kept.ends_at:
            return kept.credential
        raise IdentityUnavailable(str(kept.failure or _unavailable(cloud, _ended(host))))

    async def aclose(self) -> None:
        under_way = [kept.flight for kept in self._kept.values() if kept.flight is not None]
        self._kept.clear()
        for flight in under_way:
            flight.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._transport.aclose()

    def _kept_for(self, key: tuple[Cloud, str, bytes]) -> _Kept:
        """What is kept of a login, the last used last."""
        kept = self._kept.pop(key, None) or _Kept()
        if len(self._kept) >= _KEPT:
            now = self._clock()
            self._kept = {known: one for known, one in self._kept.items() if one.flight or now < one.ends_at}
        if len(self._kept) >= _KEPT:
            idle = (known for known, one in self._kept.items() if one.flight is None)
            for longest_unused in tuple(itertools.islice(idle, 1)):
                del self._kept[longest_unused]
        self._kept[key] = kept
        return kept

    async def _login(self, cloud: Cloud, site: Site) -> Login:
        login = await self._providers[cloud].login(site)
        if login.life_s <= 0:
            raise IdentityUnavailable(_ended(site.host))
        return login

    async def _renew(self, cloud: Cloud, site: Site, kept: _Kept) -> None:
        try:
            login = await self._login(cloud, site)
        except IdentityUnavailable as error:
            error.__traceback__ = None
            kept.failure = _unavailable(cloud, str(error))
            kept.renew_at = self._clock() + _FAILURE_HOLDS_S
            return
        finally:
            kept.flight = None
        kept.credential = replace(
            login.credential,
            identity=f"{cloud} {site.host}",
            source=f"the operator's identity in the cloud (spec.access.provider: {cloud})",
        )
        given_at = self._clock()  # which the life counts from, however long it took to ask
        kept.ends_at = given_at + max(login.life_s, _SHORTEST_S)
        kept.renew_at = given_at + max(_SHORTEST_S, min(_USED_OF_LIFE * login.life_s, _LONGEST_S))
        kept.failure = None


def _unavailable(cloud: Cloud, why: str) -> IdentityUnavailable:
    return IdentityUnavailable(f"spec.access.provider {cloud}: {why}")


def _ended(host: str) -> str:
    return f"the login for {host} has ended already; check the clock of the operator's node"
