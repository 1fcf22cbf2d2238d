"""One interface, however a registry is reached."""

import inspect

from bundlewatch.registry import MirroredRegistry, Registry, RegistryClient


def test_a_mirrored_registry_can_be_asked_what_a_registry_can() -> None:
    def offered(kind: type[object]) -> dict[str, list[tuple[str, object]]]:
        public = {name: inspect.signature(value) for name, value in vars(kind).items() if not name.startswith("_")}
        return {name: [(one.name, one.kind) for one in found.parameters.values()] for name, found in public.items()}

    assert offered(RegistryClient) == offered(MirroredRegistry)
    assert offered(RegistryClient).keys() == offered(Registry).keys()
