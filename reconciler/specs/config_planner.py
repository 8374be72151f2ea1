"""What a schema cannot say about the planner of a configuration: pools that can have nodes, amounts that count."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.kube.pod_requests import amount
from reconciler.kube.quantity import equal
from reconciler.model.cluster_view import GPU
from reconciler.model.duration import seconds
from reconciler.specs.finding import Finding, shown
from reconciler.specs.place import Path

JSON = Any

_UNCOUNTED: Final = frozenset(("pods", GPU))
_COUNTED: Final = "cpu, memory, ephemeral-storage and extended resources are; GPUs and pods are not"
_HOUR: Final = 3600  # seconds


def beyond(planner: Mapping[str, JSON]) -> Iterator[Finding]:
    """Everything that is wrong with `planner`, which its schema accepts."""
    for term, limits in planner.get("repositories", {}).get("weights", {}).items():
        if limits.get("min", 0) > limits.get("max", 1000):
            message = f"the least, {limits['min']}, is more than the most, {limits.get('max', 1000)}"
            yield Finding("bad-value", ("planner", "repositories", "weights", term, "min"), message)
    yield from _pools(planner.get("pools", ()))
    for namespace, quota in planner.get("quotas", {}).items():
        yield from _limit(quota, ("planner", "quotas", namespace))
    yield from _amounts(planner.get("defaults", {}).get("requests", {}), ("planner", "defaults", "requests"))
    yield from _duration(planner.get("usage", {}).get("interval"), 10, ("planner", "usage", "interval"))
    yield from _duration(planner.get("podStart"), 1, ("planner", "podStart"))


def _duration(stated: JSON, least: int, path: Path) -> Iterator[Finding]:
    if isinstance(stated, str) and not least <= seconds(stated) <= _HOUR:
        unit = "seconds" if least > 1 else "second"
        yield Finding("bad-value", path, f"{stated} is not between {least} {unit} and an hour")


def _pools(pools: tuple[Mapping[str, JSON], ...]) -> Iterator[Finding]:
    names: dict[str, int] = {}
    for at, pool in enumerate(pools):
        path: Path = ("planner", "pools", at)
        selector = pool["nodeSelector"]
        first = names.setdefault(pool["name"], at)
        if first != at:
            message = f"{shown(pool['name'])} is the name of planner.pools[{first}] already"
            yield Finding("described-twice", (*path, "name"), message, "names of pools are unique")
        wider = next(
            (n for n, other in enumerate(pools[:at]) if other["nodeSelector"].items() <= selector.items()), None
        )
        if wider is not None:
            message = f"each of its nodes is one of planner.pools[{wider}]"
            hint = "the first pool that a node matches is its own: put the narrower one first"
            yield Finding("bad-value", (*path, "nodeSelector"), message, hint)
        yield from _limit(pool.get("limits", {}), (*path, "limits"))
        template = pool.get("template", {})
        yield from _amounts(template.get("allocatable", {}), (*path, "template", "allocatable"))
        for name, value in template.get("labels", {}).items():
            if selector.get(name, value) != value:
                message = f"the pool's nodeSelector says {shown(selector[name])}"
                yield Finding("bad-value", (*path, "template", "labels", name), message, "leave it out here")


def _limit(amounts: Mapping[str, JSON], path: Path) -> Iterator[Finding]:
    yield from _amounts(amounts, path)
    for name, stated in amounts.items():
        if name in _UNCOUNTED:
            yield Finding("bad-value", (*path, name), f"{name} is not counted here", _COUNTED, key=True)
        elif isinstance(stated, str | int | float) and equal(stated, 0):
            yield Finding("bad-value", (*path, name), "a limit of 0 lets nothing in", "leave it out for no limit")


def _amounts(amounts: Mapping[str, JSON], path: Path) -> Iterator[Finding]:
    """The schema's pattern is wider than what Kubernetes takes."""
    for name, stated in amounts.items():
        try:
            amount(name, stated)
        except (ValueError, OverflowError):
            yield Finding("bad-value", (*path, name), f"{shown(stated)} is not a quantity such as 250m, 1.5 or 256Mi")
