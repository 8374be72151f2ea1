"""A plan as people read it, and as JSON."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ZONE, Resources
from reconciler.model.plan import Decision, Option, Plan, Share
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.snapshot import ClusterView
from reconciler.plural import counted


def document(plan: Plan, view: ClusterView) -> dict[str, Any]:
    """As plain values; docs/cli.md has the format."""
    return {
        "nodes": len(view.nodes),
        "requested": {name: {"now": now, "planned": then} for name, now, then in _use(plan, view)},
        "value": plan.value,
        "bound": plan.bound,
        "gap": plan.gap,
        "workloads": [
            {
                "workload": str(need.identity),
                "replicas": need.replicas,
                "places": [
                    {"pool": share.place.pool, "zone": share.place.zone, "replicas": share.count}
                    for share in plan.placements.get(need.identity, ())
                ],
                "decisions": [_decision(each) for each in plan.decisions.get(need.identity, ())],
                "unplaced": _unplaced(plan, need.identity),
            }
            for need in view.needs
        ],
        "moves": [{"workload": str(m.identity), "from": m.origin, "to": m.target or None} for m in plan.moves],
        "notes": [*view.notes, *plan.notes],
    }


def text(plan: Plan, view: ClusterView, pools: Sequence[Pool]) -> str:
    """For a terminal: the sum, a row for each workload, and what has no place with the way to give it one."""
    asked = sum(need.replicas for need in view.needs)
    waiting = sum(lack.count for lack in plan.unplaced.values())
    zones = {node.labels.get(ZONE, "") for node in view.nodes} - {""}
    head = [counted(len(view.nodes), "node"), counted(len(zones), "zone"), counted(len(pools), "pool")]
    placed = "all have a place" if not waiting else f"{waiting} without a place"
    lines = [f"{', '.join(head)}; {counted(len(view.needs), 'workload')} of {counted(asked, 'replica')}: {placed}"]
    lines += [
        f"{name} requested: {_percent(now)} now, {_percent(then)} planned" for name, now, then in _use(plan, view)
    ]
    if view.needs:
        lines += ["", *_table(plan, view.needs)]
    for identity, lack in sorted(plan.unplaced.items()):
        lines += [
            "",
            f"no place for {counted(lack.count, 'replica')} of {identity}, because {lack.reason}",
            f"  hint: {lack.fix}",
        ]
    if plan.moves:
        lines += ["", f"{counted(len(plan.moves), 'running replica')} would be better elsewhere"]
    lines += [f"note: {note}" for note in (*view.notes, *plan.notes)]
    lines += ["", f"placed value {plan.value:g} of at most {plan.bound:g} (gap {_percent(plan.gap)})"]
    return "\n".join(lines)


def explained(decision: Decision) -> list[str]:
    """Why a place was chosen: its terms and those of the runner-up, which add up to the scores."""
    chosen, other = decision.chosen, decision.runner_up
    lines = [f"{chosen.place}: {chosen.score:.4f}" + (f", next best {other.place}: {other.score:.4f}" if other else "")]
    others = {term.name: term for term in other.terms} if other else {}
    for term in sorted(chosen.terms, key=lambda term: (-abs(term.contribution), term.name)):
        beside = others.get(term.name)
        against = f"   against {beside.value:.3f}" if beside else ""
        contribution = f"{term.weight:g} x {term.value:.3f} = {term.contribution:.4f}"
        lines.append(f"  {term.family}.{term.name:14} {contribution:28}{against}".rstrip())
    return lines


def _table(plan: Plan, needs: Iterable[WorkloadNeed]) -> list[str]:
    rows = [("WORKLOAD", "REPLICAS", "WHERE")]
    for need in needs:
        shares = plan.placements.get(need.identity, ())
        count = sum(share.count for share in shares)
        replicas = str(need.replicas) if count == need.replicas else f"{count} of {need.replicas}"
        rows.append((str(need.identity), replicas, ", ".join(_share(each) for each in shares) or "nowhere"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{name:{widths[0]}}  {count:{widths[1]}}  {where}" for name, count, where in rows]


def _share(share: Share) -> str:
    return f"{share.place} {share.count}"


def _use(plan: Plan, view: ClusterView) -> list[tuple[str, float, float]]:
    """CPU and memory: which part of what the nodes have is requested now, and would be."""
    up = {node.name: node.allocatable for node in view.nodes if node.ready}
    planned = {need.identity for need in view.needs}
    now, others, ours = Counter[str](), Counter[str](), Counter[str]()
    for pod in view.pods:
        if pod.node in up:
            now.update(_amounts(pod.requests))
            if pod.owner not in planned:
                others.update(_amounts(pod.requests))
    for need in view.needs:
        count = sum(share.count for share in plan.placements.get(need.identity, ()))
        ours.update({name: amount * count for name, amount in _amounts(need.requests).items()})
    total = Counter[str]()
    for allocatable in up.values():
        total.update(_amounts(allocatable))
    return [
        (name, now[name] / total[name], (others[name] + ours[name]) / total[name]) if total[name] else (name, 0.0, 0.0)
        for name in ("cpu", "memory")
    ]


def _amounts(resources: Resources) -> dict[str, int]:
    return {"cpu": resources.cpu, "memory": resources.memory}


def _unplaced(plan: Plan, identity: Identity) -> dict[str, Any] | None:
    lack = plan.unplaced.get(identity)
    if lack is None:
        return None
    return {"replicas": lack.count, "constraint": lack.constraint.value, "reason": lack.reason, "fix": lack.fix}


def _decision(decision: Decision) -> dict[str, Any]:
    return {"chosen": _option(decision.chosen), "runnerUp": _option(decision.runner_up) if decision.runner_up else None}


def _option(option: Option) -> dict[str, Any]:
    return {
        "pool": option.place.pool,
        "zone": option.place.zone,
        "score": option.score,
        "terms": [
            {
                "family": term.family.value,
                "name": term.name.value,
                "value": term.value,
                "weight": term.weight,
                "contribution": term.contribution,
            }
            for term in option.terms
        ],
    }


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %" if part >= 0.0995 or part == 0 else f"{100 * part:.1f} %"
