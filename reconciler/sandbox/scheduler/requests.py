"""What the scheduler asks of a pod beside its requests: what it counts for when nodes are scored, its ports."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.kube.pod_requests import of_container

DEFAULT_CPU: Final = 100  # what a container without a request counts for when nodes are compared
DEFAULT_MEMORY: Final = 200 * 1024 * 1024


def for_comparison(pod_spec: Mapping[str, Any]) -> tuple[int, int]:
    """CPU and memory that a pod counts for when nodes are scored: containers without requests are not free."""
    cpu = memory = 0
    for container in pod_spec.get("containers") or ():
        mine = of_container(container)
        cpu += mine.get("cpu") or DEFAULT_CPU
        memory += mine.get("memory") or DEFAULT_MEMORY
    return cpu, memory


def host_ports(pod_spec: Mapping[str, Any]) -> tuple[tuple[str, str, int], ...]:
    """The ports of the node that a pod wants: protocol, address, port."""
    return tuple(
        (port.get("protocol") or "TCP", port.get("hostIP") or "0.0.0.0", port["hostPort"])  # noqa: S104  # any address
        for container in _containers(pod_spec)
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def _containers(pod_spec: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    yield from pod_spec.get("initContainers") or ()
    yield from pod_spec.get("containers") or ()
