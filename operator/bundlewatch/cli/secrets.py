"""Logins that somebody wrote into a manifest: what is said about it ends up in the logs of a pipeline."""

from collections.abc import Mapping

from bundlewatch.api.admission.wording import shown
from bundlewatch.registry.reference import without_login


def hidden(message: str, body: Mapping[str, object]) -> str:
    """What is said of an object, without what stands before an @ in its `spec.repository`."""
    spec = body.get("spec")
    repository = spec.get("repository") if isinstance(spec, Mapping) else None
    if not isinstance(repository, str) or (harmless := without_login(repository)) == repository:
        return message
    return message.replace(shown(repository), shown(harmless)).replace(repository, harmless)
