"""Decides where a redirect may lead.

Listings and manifests stay on the origin that was asked: nothing legitimate moves them, and GHCR's answer to
an unknown endpoint is a redirect to a web page. Blobs do move to object storage; they may, without the
registry's credentials, and never to our own loopback or a metadata service. Rules: OCI distribution
specification §"Pulling blobs", CWE-918.
"""

from bundlewatch.registry.addresses import Reach, reach_of_host
from bundlewatch.registry.urls import Url

STATUSES = frozenset({301, 302, 303, 307, 308})
MAX_HOPS = 5


class RedirectError(ValueError):
    """The redirect is not followed; the message says why, in a clause about the redirect."""


def follow(location: str | None, *, at: Url, may_leave: bool, insecure: bool) -> Url:
    """Where a redirect seen at `at` leads; raises RedirectError.

    `may_leave` is for blobs only; `insecure` says that the registry is reached by plain HTTP on purpose.
    """
    target = at.join(location) if location else None
    if target is None:
        raise RedirectError("names no absolute http(s) URL in plain form")
    if target.origin == at.origin:
        return target
    same_host = target.origin.host == at.origin.host
    if not may_leave:
        if same_host and insecure and target.origin.scheme == "https":
            raise RedirectError("leads to https: set spec.access.insecure to false")
        raise RedirectError(f"leads away, to {target.origin}")
    if target.origin.scheme != "https" and not (insecure and at.origin.scheme == "http"):
        raise RedirectError(f"leads to {target.origin}, which is not https")
    reach = reach_of_host(target.origin.host)
    if reach is Reach.METADATA or (reach is Reach.LOOPBACK and not same_host):
        raise RedirectError(f"leads to {target.origin}, a {reach} address")
    return target
