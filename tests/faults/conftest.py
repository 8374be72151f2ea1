"""Faults that only a real control plane can have."""

from kubernetes_server import kubernetes  # noqa: F401
