"""A small asynchronous, read-only client for OCI registries; knows nothing of Kubernetes or of Argo CD.

`client.RegistryClient` is the entrance. The protocol's hard edges are pure modules with tables for tests:
references, links, challenges, realms, redirects, Docker config keys. Only `transport` does I/O.
"""
