"""What a pod asks for and what a node has, as whole numbers: CPU in thousandths, everything else in units. Pure."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from reconciler.kube.quantity import parse

Amounts = dict[str, int]

_MOST: Final = (1 << 63) - 1  # that the scheduler reckons with


@lru_cache(maxsize=4096)
def amount(resource: str, quantity: str | float) -> int:
    """`quantity` rounded up: millicores for "cpu", else bytes or pieces. At most what 64 bits hold."""
    value = parse(quantity)
    return min(math.ceil(value * 1000 if resource == "cpu" else value), _MOST)


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
        mine = of_container(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, mine)
            _raise(most, sidecars)
        else:
            together = dict(sidecars)
            _add(together, mine)
            _raise(most, together)
    total = dict(sidecars)
    for container in pod_spec.get("containers") or ():
        _add(total, of_container(container))
    _raise(total, most)
    total.update(of_container(pod_spec))
    _add(total, amounts(pod_spec.get("overhead") or {}))
    total["pods"] = 1
    return total


def of_container(holder: Mapping[str, Any]) -> Amounts:
    """The requests of a container, or of a pod as a whole; a limit counts where no request is stated."""
    resources = holder.get("resources") or {}
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise(floor: Amounts, other: Mapping[str, int]) -> None:
    for name, value in other.items():
        floor[name] = max(floor.get(name, 0), value)
