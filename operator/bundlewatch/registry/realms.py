"""Decides whether a token server that a registry names may be asked, and so may see a credential.

A registry legitimately names another host (auth.docker.io), so that cannot be forbidden; but it must not turn
us into a way to our own network, nor get a credential sent in the clear. Names that resolve to loopback or
link-local addresses are caught when connecting, in `transport`. Rules: the security checklist that
go-containerregistry and oras-go came to in 2026.
"""

from bundlewatch.registry.addresses import Reach, literal, reach_of_host
from bundlewatch.registry.reference import DOCKER_HUB
from bundlewatch.registry.urls import Origin, Url

# Who the big ones send us to; anybody else in that role is an impostor.
_PINNED = {
    DOCKER_HUB: frozenset({"auth.docker.io"}),
    "ghcr.io": frozenset({"ghcr.io"}),
    "quay.io": frozenset({"quay.io"}),
    "public.ecr.aws": frozenset({"public.ecr.aws"}),
    "registry.gitlab.com": frozenset({"gitlab.com"}),
}
_THEMSELVES = (".azurecr.io", ".azurecr.cn", ".azurecr.us", ".pkg.dev", ".gcr.io")


class RealmError(ValueError):
    """The realm must not be asked; the message says why, in a clause about the realm."""


def check(text: str, *, registry: Origin, host: str) -> Url:
    """The realm as a URL that may be asked on behalf of `host` (canonical, as in Repository); or RealmError.

    `registry` is the origin the challenge came from. Plain http is allowed only where the registry itself is
    reached so, and then only on its own host name.
    """
    realm = Url.parse(text)
    if realm is None:
        raise RealmError("is not an absolute https URL in plain form")
    origin = realm.origin
    if origin == registry:
        return realm
    same_host = origin.host == registry.host
    if origin.scheme == "http" and not (registry.scheme == "http" and same_host):
        raise RealmError("is not https, so the credentials would travel in the clear")
    pinned = _PINNED.get(host, frozenset({host}) if host.endswith(_THEMSELVES) else None)
    if pinned is not None and origin.authority not in pinned:
        raise RealmError(f"is not one of {host}'s own token servers")
    reach = reach_of_host(origin.host)
    trusted = same_host and (registry.scheme == "http" or literal(origin.host) is None)
    if reach is not Reach.OPEN and not trusted:
        raise RealmError(f"is a {reach} address that is not the registry's own")
    return realm
