"""How many and how much: replicas and requests that a spec leaves open, before anything has a place.

Nothing is lowered by what was not measured: where measurements are missing, young or stale, what is requested and what
runs stays (rule 19), and where nothing is, the configuration's default.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler.kube.pod_requests import of_container
from reconciler.kube.quantity import parse
from reconciler.model.cluster_view import ZONE, NodeView
from reconciler.model.filled import Draft, Record
from reconciler.model.plan import Choice
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.spec import Scale
from reconciler.model.usage import ContainerUsage, Usage
from reconciler.planner.carrying import Carrying, of_query
from reconciler.planner.choosing import choose_request, worded
from reconciler.planner.requests import Advice, Reason, Rule, advise, written
from reconciler.planner.scaling import Bounds, Outlook, Scaled, scale

_RESOURCES: Final = ("cpu", "memory")


@dataclass(frozen=True, slots=True)
class Before:
    """What there is of a workload: what was filled in, replicas that run, what the last plan looked ahead to."""

    recorded: Record | None = None
    running: int = 0
    outlook: Outlook | None = None


@dataclass(frozen=True, slots=True)
class Allotted:
    """For one workload. `requests` are of its main container, for what its spec leaves open.

    `replicas` are those that there are to be, or the least of them where an autoscaler makes more; None where that is
    stated, or not known. `why` says of each, by name ("replicas", "cpu", "memory"), where it comes from, `choices` how
    what was measured was weighed. `outlook` is for the next plan.
    """

    requests: Mapping[str, str]
    replicas: int | None
    why: Mapping[str, str]
    choices: tuple[Choice, ...] = ()
    outlook: Outlook | None = None


def allot(
    draft: Draft, before: Before, usage: Usage, *, spares: int, rules: Allocation, policy: Policy, now: datetime
) -> Allotted:
    """What `draft` leaves open.

    `spares` is how many replicas its profile would have where nothing else says how many (`spread_over`).
    """
    used = usage.containers.get(draft.whole, {}).get(draft.whole.name)
    ways, choices = _weighed(draft, used, rules, policy)
    free = draft.replicas is None and draft.scale is None
    query = draft.scale.query if draft.scale is not None else None
    demand = usage.demand.get(draft.whole)
    if demand is not None and demand.query != (query or ""):  # what was measured before the spec changed
        demand = None
    most = demand.highest if free and demand is not None else None
    least = None if most is None else most * (1 + ways["cpu"].headroom) / spares
    why: dict[str, str] = {}
    recorded = before.recorded
    requests = _requests(draft, recorded.requests if recorded is not None else {}, used, ways, rules, least, now, why)
    if draft.replicas is not None:
        return Allotted(requests, None, why, choices)
    cpu = _cpu(draft.requesting(in_force(draft, recorded, requests)))
    bounds, carrying = _bounds(draft.scale, before, cpu, spares, rules, ways["cpu"].headroom)
    scaled = scale(
        demand,
        carrying,
        bounds,
        lacking=usage.lacking.get(draft.whole, ""),
        start=rules.start,
        policy=policy,
        now=now,
        before=before.outlook,
    )
    why["replicas"] = _explained(scaled, bounds, idle=free and demand is None)
    foresight = scaled.outlook.foresight
    choices += (foresight.choice,) if foresight is not None else ()
    return Allotted(requests, scaled.replicas, why, choices, scaled.outlook)


def in_force(draft: Draft, recorded: Record | None, advised: Mapping[str, str]) -> Mapping[str, str]:
    """What its pods request, or will with the roll-out that is due: newer advice is no part of them (rule 19)."""
    return recorded.requests if recorded is not None and recorded.asked == draft.hash else advised


def spread_over(nodes: Collection[NodeView], wanted: int) -> int:
    """How many replicas survive the loss of what is lost most easily: one for each zone, else for each node, up to
    `wanted`; at least one."""
    there = [node for node in nodes if node.ready and node.schedulable]
    zones = {zone for node in there if (zone := node.labels.get(ZONE))}
    return max(1, min(wanted, len(zones) if len(zones) > 1 else len(there)))


def _bounds(
    stated: Scale | None, before: Before, cpu: float | None, spares: int, rules: Allocation, headroom: float
) -> tuple[Bounds, Carrying | None]:
    """Between which numbers, and how much of the demand replicas are to carry; `cpu` is what one requests."""
    recorded = before.recorded.replicas if before.recorded is not None else None
    if stated is None:
        low = min(spares, rules.max_replicas)
        kept = before.running if recorded is None else recorded
        return Bounds(low, rules.max_replicas, max(kept, low)), Carrying(cpu / (1 + headroom), "cores") if cpu else None
    if stated.query is not None:
        kept = max(before.running, 1) if recorded is None else recorded
        return Bounds(stated.min, stated.max, kept, hasty=True), of_query(stated)
    carries = None
    target = stated.target.get("cpu", "")
    if target.endswith("%"):
        carries = cpu and cpu * float(target.removesuffix("%")) / 100
    elif target:
        carries = float(parse(target))
    return Bounds(stated.min, stated.max, recorded, floor=True), Carrying(carries, "cores") if carries else None


def _explained(scaled: Scaled, bounds: Bounds, *, idle: bool) -> str:
    if idle and scaled.replicas == bounds.low:
        return f"the profile's {bounds.low}, while nothing says what is asked of it"
    at = ""
    if scaled.replicas in (bounds.low, bounds.high) and bounds.low != bounds.high:
        at = "; its least" if scaled.replicas == bounds.low else "; its most"
    return scaled.why + at


def _cpu(template: Mapping[str, Any]) -> float | None:
    """Cores that a pod requests; None where its containers request none."""
    spec = template["spec"]
    lasting = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return sum(of_container(each).get("cpu", 0) for each in (*lasting, *spec["containers"])) / 1000 or None


def _weighed(
    draft: Draft, used: ContainerUsage | None, rules: Allocation, policy: Policy
) -> tuple[Mapping[str, Rule], tuple[Choice, ...]]:
    """By which rule each request is reckoned, and how that was found, for those that are open."""
    ways = dict.fromkeys(_RESOURCES, Rule(headroom=rules.headroom))
    choices = []
    for name in _RESOURCES:
        spread = getattr(used, name, None)
        if spread is not None:
            chosen = choose_request(name, spread, rules.headroom, policy)
            ways[name] = chosen.rule
            if name not in draft.requests:
                choices.append(chosen.choice)
    return ways, tuple(choices)


def _requests(
    draft: Draft,
    before: Mapping[str, str],
    usage: ContainerUsage | None,
    ways: Mapping[str, Rule],
    rules: Allocation,
    least: float | None,
    now: datetime,
    why: dict[str, str],
) -> dict[str, str]:
    """`least` is what CPU is not lowered below: with less the replicas that there are anyway would not do. The number
    of replicas follows demand, so their request must not: each would lower the other for ever."""
    open_ = [name for name in _RESOURCES if name not in draft.requests]
    now_ = {name: _amount(before.get(name)) for name in _RESOURCES}
    found: dict[str, Advice] = {}
    if usage is not None:
        both = (ways["cpu"], ways["memory"])
        advice = advise(usage, cpu=now_["cpu"], memory=now_["memory"], now=now, rules=both)
        found = dict(zip(_RESOURCES, advice, strict=True))
    limits = _limits(draft)
    requests: dict[str, str] = {}
    for name in open_:
        advised, there = found.get(name), now_[name]
        if advised is not None and advised.changes and advised.wanted is not None:
            wanted = advised.wanted
            why[name] = _measured(name, advised, ways[name])
            if name == "cpu" and least is not None and there is not None and wanted < min(least, there):
                wanted = min(least, there)
                why[name] += "; no less, for replicas follow the demand"
            requests[name] = written(name, wanted)
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
    Reason.AHEAD: "as it was: what is measured is of a time that is yet to come",
}


def _measured(name: str, advised: Advice, rule: Rule) -> str:
    text = worded(name, rule)
    if advised.requested is None:
        return text
    side = "below" if advised.reason is Reason.MORE else "above"
    bound = advised.lower if advised.reason is Reason.MORE else advised.upper
    return f"{text}; {written(name, advised.requested)} is {side} the bound of {written(name, bound)}"


def _amount(text: str | None) -> float | None:
    return None if text is None else float(parse(text))


def _limits(draft: Draft) -> Mapping[str, Any]:
    for container in draft.template["spec"].get("containers") or ():
        if container.get("name") == draft.whole.name:
            return (container.get("resources") or {}).get("limits") or {}
    return {}
