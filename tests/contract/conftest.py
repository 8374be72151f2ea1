"""One suite, two servers: what they disagree on is a fault of the sandbox."""

from both_servers import server  # noqa: F401
from kubernetes_api import api, connection, kubernetes_api  # noqa: F401
from kubernetes_server import kubernetes  # noqa: F401
