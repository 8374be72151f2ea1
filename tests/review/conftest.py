"""Reviews are checked against what really happens, on the sandbox and on a real control plane."""

from kubernetes_server import kubernetes  # noqa: F401
