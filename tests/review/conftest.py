"""Reviews are checked against what really happens, on the sandbox and on a real control plane."""

from both_servers import server  # noqa: F401
from kubernetes_server import kubernetes  # noqa: F401
