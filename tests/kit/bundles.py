"""What lies in registries, as bytes: charts as `helm push` and `werf bundle publish` write them, images,
indexes.

Pure: the same arguments give the same digests. Knows nothing of how it is uploaded (`kit.registry`). The
charts are real: Helm renders them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
LEGACY_LAYER = "application/tar+gzip"  # Helm before 3.7, and werf to this day
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

PUBLISHED_UNIX = 1_767_225_600  # when everything here was made unless told otherwise: 2026-01-01T00:00:00Z

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  message: {{ .Values.message | quote }}
  version: {{ .Chart.Version | quote }}
"""


@dataclass(frozen=True, slots=True)
class Blob:
    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.data)

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest, the blobs it names and the manifests it lists, ready to be pushed."""

    media_type: str
    manifest: bytes
    blobs: tuple[Blob, ...] = ()
    children: tuple[Artifact, ...] = ()

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest)}


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def helm_chart(
    *,
    name: str,
    version: str,
    values: Mapping[str, Any] | None = None,
    description: str = "A chart of the test bed",
    app_version: str = "",
    metadata: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    layer_type: str = HELM_LAYER,
) -> Artifact:
    """As `helm push` writes it; `metadata` is more of Chart.yaml, `annotations` more of the manifest's."""
    chart = {
        "name": name,
        "version": version,
        "description": description,
        "apiVersion": "v2",
        **(metadata or {}),
    }
    chart |= {"appVersion": app_version} if app_version else {}
    files = chart_files(chart, values=values)
    notes = {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.description": description,
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": version,
        **(annotations or {}),
    }
    config = Blob(HELM_CONFIG, _compact(chart))
    return manifest(config, [Blob(layer_type, archive(name, files))], annotations=notes)


def chart_files(chart: Mapping[str, Any], *, values: Mapping[str, Any] | None = None) -> dict[str, str]:
    """A chart's sources by path; `chart` is what Chart.yaml says."""
    defaults = {"message": f"{chart['name']} {chart['version']}", **(values or {})}
    return {
        "Chart.yaml": yaml.safe_dump(dict(chart)),
        "values.yaml": yaml.safe_dump(defaults),
        "templates/configmap.yaml": TEMPLATE,
    }


def werf_bundle(
    *,
    name: str,
    tag: str,
    version: str | None = None,
    commit: str = "1b28a4f36c2d7e90b5f1a3c8d6e7f9012345051c",
    project_url: str = "https://gitlab.example.com/group/shop",
    pipeline: int = 42,
    images: Mapping[str, str] | None = None,
    repository: str = "",
    published_unix: int = PUBLISHED_UNIX,
) -> Artifact:
    """As `werf bundle publish` writes it from GitLab CI: the legacy layer type, and no annotations.

    `images` are references by name; `published_unix` is all that differs between two publishes of one
    commit, and it changes the digest.
    """
    version = version or werf_version(tag, published_unix=published_unix)
    service = {
        "name": name,
        "version": "v2.75.3",
        "repo": repository,
        "commit": {"hash": commit, "date": {"unix": published_unix - 600, "human": "an hour before"}},
        "image": dict(images or {}),
        "tag": {image: reference.rsplit(":", 1)[-1] for image, reference in (images or {}).items()},
    }
    extra = {
        "ci.werf.io/commit": commit,
        "gitlab.ci.werf.io/job-url": f"{project_url}/-/jobs/7",
        "gitlab.ci.werf.io/pipeline-url": f"{project_url}/-/pipelines/{pipeline}",
        "project.werf.io/env": "",
        "project.werf.io/git": project_url,
        "project.werf.io/name": name,
    }
    chart = {"name": name, "version": version, "apiVersion": "v2"}
    files = chart_files(chart, values={"werf": service, "global": {"werf": service}}) | {
        "templates/_werf_helpers.tpl": "",
        "extra_annotations.json": json.dumps(extra, sort_keys=True, separators=(",", ":")) + "\n",
    }
    config = Blob(HELM_CONFIG, _compact(chart))
    return manifest(config, [Blob(LEGACY_LAYER, archive(name, files, modified_unix=published_unix))])


def werf_version(tag: str, *, published_unix: int = PUBLISHED_UNIX) -> str:
    """The chart version werf makes of a tag: loosely semantic as it is, else one of the time and the tag."""
    loose = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?", tag)
    if loose is None:
        return f"0.0.0-{published_unix}-{re.sub('[^0-9A-Za-z]+', '-', tag).lower()}"
    return ".".join(str(int(part or 0)) for part in loose.groups()[:3]) + (loose[4] or "")


def image(*, content: str = "an image", labels: Mapping[str, str] | None = None) -> Artifact:
    """A container image as Docker writes it (schema 2), which is also the form of werf's service records."""
    layer = Blob(DOCKER_LAYER, archive("app", {"content": content}))
    settings = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": dict(labels or {})},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
    }
    return manifest(Blob(DOCKER_CONFIG, _compact(settings)), [layer], media_type=DOCKER_MANIFEST)


def index(children: Sequence[Artifact], *, media_type: str = OCI_INDEX) -> Artifact:
    """Several manifests behind one tag, as multi-platform images are."""
    platform = {"architecture": "amd64", "os": "linux"}
    listed = [{**child.descriptor, "platform": platform} for child in children]
    content = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed}
    return Artifact(media_type=media_type, manifest=_compact(content), children=tuple(children))


def manifest(
    config: Blob,
    layers: Sequence[Blob],
    *,
    media_type: str = OCI_MANIFEST,
    annotations: Mapping[str, str] | None = None,
) -> Artifact:
    content: dict[str, Any] = {"schemaVersion": 2}
    if media_type != OCI_MANIFEST:  # neither Helm nor werf say it again inside an OCI manifest
        content["mediaType"] = media_type
    content |= {"config": config.descriptor, "layers": [layer.descriptor for layer in layers]}
    content |= {"annotations": dict(annotations)} if annotations else {}
    return Artifact(media_type=media_type, manifest=_compact(content), blobs=(config, *layers))


def archive(top: str, files: Mapping[str, str], *, modified_unix: int = PUBLISHED_UNIX) -> bytes:
    """A gzipped tar of regular files below one directory."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size, entry.mtime, entry.mode = len(text.encode()), modified_unix, 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def _compact(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
