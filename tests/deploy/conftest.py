"""What deploy/ grants is tried on a real API server."""

from kubernetes_server import kubernetes  # noqa: F401
