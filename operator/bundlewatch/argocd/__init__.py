"""Argo CD Applications as values: what they deploy, what Argo CD says of it, what to write to move them.

Pure: no I/O, no clock. It knows nothing of registries, of versions and their order, or of who calls it.
"""
