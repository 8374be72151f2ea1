"""One suite, two servers: what they disagree on is a fault of the sandbox."""

from kubernetes_api import api, connection, kubernetes_api  # noqa: F401
