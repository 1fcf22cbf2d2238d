"""The contract with the cluster: the BundleWatch object as values, its rules, its conditions, its CRD.

Pure: no I/O, no clock. It knows nothing of registries, of Argo CD or of how anything is decided.
"""
