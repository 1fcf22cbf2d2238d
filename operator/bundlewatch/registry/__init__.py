"""A small asynchronous, read-only client for OCI registries; knows nothing of Kubernetes or of Argo CD.

    client = RegistryClient()
    try:
        repository = parse_repository("registry.example.com/team/app")
        tags = await client.list_tags(repository, access=Access(Credential("robot", "…")))
        manifest = await client.get_manifest(repository, tags[-1], access=Access())
    finally:
        await client.aclose()

What it promises:

- An answer is complete or an error of `bundlewatch.errors`, never a part. Content matches its digest.
- An error says what was asked, of whom, what came back and what to do; never a secret, never an unbounded or
  unprintable text of a registry. `retry` on it says whether time can cure it.
- A credential, and a client certificate, go to the registry's own origin and to a token server that may be
  believed to be its own; nowhere else. Nobody leads us to a metadata service.
- Every call is bounded in time, size, redirects and requests a host; one host never delays another.
- Nothing is read from the environment, a file or `.netrc`: proxies, authorities and credentials are passed in.

One client serves a whole process and one event loop. What is exported here is the surface; the other modules are
how it is done. The protocol's hard edges are pure modules with tables for tests: references, links, challenges,
realms, redirects, proxies, Docker config keys. Only `transport` does I/O. Rule: OCI distribution specification 1.1.
"""

from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    InvalidReference,
    InvalidSecret,
    NotInRegistry,
    NotTrusted,
    RateLimited,
    RegistryMisbehaved,
    RegistryUnavailable,
    RepositoryNotFound,
    UnusableContent,
)
from bundlewatch.registry.access import Access
from bundlewatch.registry.client import RegistryClient
from bundlewatch.registry.credentials import ANONYMOUS, Credential
from bundlewatch.registry.hosts import Mirror
from bundlewatch.registry.listing import Listing, ListingLimits
from bundlewatch.registry.manifests import Descriptor, Manifest
from bundlewatch.registry.mirrors import MirroredRegistry
from bundlewatch.registry.proxies import Proxies, ProxyError
from bundlewatch.registry.quotas import Quota
from bundlewatch.registry.reference import Reference, Repository, parse_reference, parse_repository
from bundlewatch.registry.registry import Registry
from bundlewatch.registry.throttle import HostLimits
from bundlewatch.registry.tls import ClientCertificate, Trust
from bundlewatch.registry.transport import Timeouts

__all__ = [
    "ANONYMOUS",
    "Access",
    "AccessDenied",
    "BundleWatchError",
    "ClientCertificate",
    "Credential",
    "Descriptor",
    "HostLimits",
    "InvalidReference",
    "InvalidSecret",
    "Listing",
    "ListingLimits",
    "Manifest",
    "Mirror",
    "MirroredRegistry",
    "NotInRegistry",
    "NotTrusted",
    "Proxies",
    "ProxyError",
    "Quota",
    "RateLimited",
    "Reference",
    "Registry",
    "RegistryClient",
    "RegistryMisbehaved",
    "RegistryUnavailable",
    "Repository",
    "RepositoryNotFound",
    "Timeouts",
    "Trust",
    "UnusableContent",
    "parse_reference",
    "parse_repository",
]
