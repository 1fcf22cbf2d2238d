"""What kubectl and the API server would say of a manifest, without either of them.

`manifests` reads files as kubectl does, `review` says what the API server would refuse, in its words: those of
`kubectl apply --dry-run=server`. Nothing here is a second description of the object. The schema is the one that
the definition in `crds/` holds, and of each rule in it the Python side judges. Source: the code of Kubernetes
1.37 (apiextensions-apiserver, kube-openapi, apimachinery), and a real API server that every message is held
against in `tests/cluster/test_validate.py`.
"""

from bundlewatch.api.admission.manifests import Document, Unreadable, documents
from bundlewatch.api.admission.review import complaints, is_meant, stored
from bundlewatch.api.admission.wording import Complaint, Path

__all__ = ["Complaint", "Document", "Path", "Unreadable", "complaints", "documents", "is_meant", "stored"]
