"""How many and how much: replicas and requests that a spec leaves open, before anything has a place.

Nothing is lowered by what was not measured: where measurements are missing, young or stale, what is requested stays
(rule 19), and where nothing is, the configuration's default.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.kube.quantity import parse
from reconciler.model.cluster_view import ZONE, NodeView
from reconciler.model.filled import Draft, Record
from reconciler.model.planning_policy import Allocation
from reconciler.model.usage import ContainerUsage
from reconciler.planner.requests import Advice, Reason, advise, quantities

_RESOURCES: Final = ("cpu", "memory")


@dataclass(frozen=True, slots=True)
class Allotted:
    """For one workload. `requests` are of its main container, for what its spec leaves open; `replicas` None where that
    is stated. `why` says of each, by name ("replicas", "cpu", "memory"), where it comes from."""

    requests: Mapping[str, str]
    replicas: int | None
    why: Mapping[str, str]


def allot(
    draft: Draft,
    *,
    recorded: Record | None,
    usage: ContainerUsage | None,
    spares: int,
    rules: Allocation,
    now: datetime,
) -> Allotted:
    """What `draft` leaves open; `usage` is that of its main container, `recorded` what was filled in before.

    `spares` is how many replicas its profile would have where nothing else says how many (`spread_over`).
    """
    why: dict[str, str] = {}
    requests = _requests(draft, recorded.requests if recorded is not None else {}, usage, rules, now, why)
    if draft.replicas is not None or draft.scale is not None:
        return Allotted(requests, None, why)
    why["replicas"] = f"the profile's {spares}, while nothing says what is asked of it"
    return Allotted(requests, min(spares, rules.max_replicas), why)


def spread_over(nodes: Collection[NodeView], wanted: int) -> int:
    """How many replicas survive the loss of what is lost most easily: one for each zone, else for each node, up to
    `wanted`; at least one."""
    there = [node for node in nodes if node.ready and node.schedulable]
    zones = {zone for node in there if (zone := node.labels.get(ZONE))}
    return max(1, min(wanted, len(zones) if len(zones) > 1 else len(there)))


def _requests(
    draft: Draft,
    before: Mapping[str, str],
    usage: ContainerUsage | None,
    rules: Allocation,
    now: datetime,
    why: dict[str, str],
) -> dict[str, str]:
    open_ = [name for name in _RESOURCES if name not in draft.requests]
    now_ = {name: _amount(before.get(name)) for name in _RESOURCES}
    found: dict[str, Advice] = {}
    if usage is not None:
        advice = advise(usage, cpu=now_["cpu"], memory=now_["memory"], now=now, headroom=rules.headroom)
        found = dict(zip(_RESOURCES, advice, strict=True))
    limits = _limits(draft)
    requests: dict[str, str] = {}
    for name in open_:
        advised = found.get(name)
        if advised is not None and advised.changes and advised.wanted is not None:
            requests[name] = _written(name, advised.wanted)
            why[name] = _measured(name, advised, rules)
        elif name in before:
            requests[name] = before[name]
            why[name] = _KEPT[advised.reason] if advised is not None else "as it was: nothing is measured"
        elif name in rules.requests:
            requests[name] = rules.requests[name]
            why[name] = "the configuration's default: too little is measured yet"
        else:
            continue
        limit = limits.get(name)
        if limit is not None and parse(requests[name]) > parse(limit):
            requests[name] = limit
            why[name] += "; no more than its limit"
    return requests


_KEPT: Final[Mapping[Reason, str]] = {
    Reason.FITS: "as it was: between the bounds of what is used",
    Reason.YOUNG: "as it was: less than an hour is measured",
    Reason.STALE: "as it was: nothing was measured for a day",
}


def _measured(name: str, advised: Advice, rules: Allocation) -> str:
    what = "the 90th percentile" + (" of daily peaks" if name == "memory" else "")
    text = f"{what} of what is used, and {round(100 * rules.headroom)} % on top"
    if advised.requested is None:
        return text
    side = "below" if advised.reason is Reason.MORE else "above"
    bound = advised.lower if advised.reason is Reason.MORE else advised.upper
    return f"{text}; {_written(name, advised.requested)} is {side} the bound of {_written(name, bound)}"


def _written(name: str, amount: float) -> str:
    return quantities(amount, 0)["cpu"] if name == "cpu" else quantities(0, amount)["memory"]


def _amount(text: str | None) -> float | None:
    return None if text is None else float(parse(text))


def _limits(draft: Draft) -> Mapping[str, Any]:
    for container in draft.template["spec"].get("containers") or ():
        if container.get("name") == draft.identity.name:
            return (container.get("resources") or {}).get("limits") or {}
    return {}
