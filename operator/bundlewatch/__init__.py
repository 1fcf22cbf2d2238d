"""BundleWatch: moves Argo CD Applications to new OCI bundles, and always says why."""

__version__ = "0.1.0"
