"""What can be asked of registries: the one interface of `client.RegistryClient` and `mirrors.MirroredRegistry`.

Both name it as their base, so that neither can lack what the other has. What each method promises is said at
`RegistryClient`.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol, overload

from bundlewatch.registry.access import Access
from bundlewatch.registry.listing import Listing
from bundlewatch.registry.manifests import Descriptor, Manifest
from bundlewatch.registry.quotas import Quota
from bundlewatch.registry.reference import Repository


class Registry(Protocol):
    async def list_tags(self, repository: Repository, *, access: Access) -> tuple[str, ...]: ...

    async def listing(
        self, repository: Repository, *, access: Access, progress: Callable[[int], None] = ...
    ) -> Listing: ...

    def tags(self, repository: Repository, *, access: Access) -> AsyncGenerator[list[str], None]: ...

    @overload
    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: None = None
    ) -> Descriptor: ...

    @overload
    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None
    ) -> Descriptor | None: ...

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest: ...

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes: ...

    def quotas(self) -> Mapping[str, Quota]: ...

    async def aclose(self) -> None: ...
