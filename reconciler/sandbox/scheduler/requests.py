"""What a pod asks for and what a node has, as whole numbers: CPU in thousandths, everything else in units. Pure."""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from reconciler.kube.quantity import parse

Amounts = dict[str, int]

DEFAULT_CPU: Final = 100  # what a container without a request counts for when nodes are compared
DEFAULT_MEMORY: Final = 200 * 1024 * 1024


@lru_cache(maxsize=4096)
def amount(resource: str, quantity: str | float) -> int:
    """`quantity` rounded up: millicores for "cpu", else bytes or pieces."""
    value = parse(quantity)
    return math.ceil(value * 1000 if resource == "cpu" else value)


def amounts(quantities: Mapping[str, Any]) -> Amounts:
    return {name: amount(name, value) for name, value in quantities.items()}


def requested(pod_spec: Mapping[str, Any]) -> Amounts:
    """What the scheduler reserves for a pod.

    The larger of: all containers and sidecars together; each init container with the sidecars started before it.
    Pod-level requests replace the sum where stated; the runtime's overhead comes on top.
    """
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in pod_spec.get("initContainers") or ():
        mine = _of(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, mine)
            _raise(most, sidecars)
        else:
            together = dict(sidecars)
            _add(together, mine)
            _raise(most, together)
    total = dict(sidecars)
    for container in pod_spec.get("containers") or ():
        _add(total, _of(container))
    _raise(total, most)
    total.update(_of(pod_spec))
    _add(total, amounts(pod_spec.get("overhead") or {}))
    total["pods"] = 1
    return total


def for_comparison(pod_spec: Mapping[str, Any]) -> tuple[int, int]:
    """CPU and memory that a pod counts for when nodes are scored: containers without requests are not free."""
    cpu = memory = 0
    for container in pod_spec.get("containers") or ():
        mine = _of(container)
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


def _of(holder: Mapping[str, Any]) -> Amounts:
    resources = holder.get("resources") or {}
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise(floor: Amounts, other: Mapping[str, int]) -> None:
    for name, value in other.items():
        floor[name] = max(floor.get(name, 0), value)
