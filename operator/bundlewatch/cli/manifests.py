"""The BundleWatch in a file of manifests."""

from collections.abc import Iterator, Mapping

from bundlewatch.api.admission import Document, Unreadable, complaints, documents, is_meant, stored
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.cli import files, secrets
from bundlewatch.cli.files import FileProblem
from bundlewatch.engine.policies import compiled
from bundlewatch.errors import InvalidSpec, Mistake


def one(file: str, *, name: str | None, namespace: str | None) -> BundleWatch:
    """The one BundleWatch in a file (-: standard input), of this name and namespace where they are given.

    Raises InvalidSpec: the file cannot be read, the API server would refuse the object, there is none, or several.
    """
    found: list[tuple[str, str]] = []
    meant: list[tuple[Document, Mapping[str, object]]] = []
    for document, body in _meant(file):
        metadata = body.get("metadata")
        labels = metadata if isinstance(metadata, Mapping) else {}
        here = (str(labels.get("namespace") or ""), str(labels.get("name") or ""))
        found.append(here)
        if name in {None, here[1]} and (not namespace or here[0] in {"", namespace}):
            meant.append((document, body))
    if not meant and found:
        raise InvalidSpec(
            f"{file}: no BundleWatch {'/'.join(filter(None, (namespace, name)))}; it has {_listed(found)}"
        )
    if not meant:
        raise InvalidSpec(f"{file}: there is no BundleWatch in it")
    if len(meant) > 1:
        raise InvalidSpec(f"{file}: has several BundleWatches, {_listed(found)}: give the name of one, and -n")
    ((document, body),) = meant
    if wrong := (*document.repetitions(), *complaints(body)):
        raise InvalidSpec(
            f"{file}:{document.line_of(wrong[0].path)}: "
            f"{'; '.join(secrets.hidden(complaint.text, body) for complaint in wrong)}"
        )
    watch = BundleWatch.parse(stored(body))
    try:
        compiled(watch.spec)
    except Mistake as error:
        raise InvalidSpec(f"{file}:{document.line_of(('spec', 'tags'))}: {error}") from None
    return watch


def _meant(file: str) -> Iterator[tuple[Document, Mapping[str, object]]]:
    try:
        for document in documents(files.read(file)):
            if is_meant(document.value):
                assert isinstance(document.value, Mapping)
                yield document, document.value
    except FileProblem as problem:
        raise InvalidSpec(f"{file}: {problem}") from None
    except Unreadable as error:
        raise InvalidSpec(f"{file}:{error.line}: {error}") from None


def _listed(found: list[tuple[str, str]]) -> str:
    return ", ".join("/".join(filter(None, names)) or "one without a name" for names in found[:10])
