"""Kubernetes I/O: what the engine reads from and writes to a cluster, and nothing about why."""
