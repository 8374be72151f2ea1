"""What was planned, for people to read, and in the JSON of `reconciler simulate`. Imports no arrays and no solver."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from reconciler.model.planned import (
    Amount,
    PlannedCluster,
    PlannedWorkload,
    Share,
    ShownCandidate,
    ShownChoice,
    Template,
    Waiting,
)
from reconciler.plural import counted

LEGEND: Final = (
    "why, in scores: each is the sum of its parts, weight x value, where a value is from 0 (worst) to 1 (best);",
    "  f: where it fits best, g: what people prefer, h: how much and how many",
)


def text(plan: PlannedCluster, *, reasons: bool = False) -> str:
    """For a terminal: the sum, a row for each workload, and what has no place with the way to give it one.

    With `reasons` also each number that was chosen, and what waits for a roll-out.
    """
    asked = sum(each.replicas for each in plan.workloads)
    head = [counted(plan.nodes, "node"), counted(plan.zones, "zone"), counted(plan.pools, "pool")]
    placed = f"{plan.unplaced} without a place" if plan.unplaced else "all have a place"
    lines = [f"{', '.join(head)}; {counted(len(plan.workloads), 'workload')} of {counted(asked, 'replica')}: {placed}"]
    lines += [f"{name} requested: {_use(share)}" for name, share in plan.requested.items()]
    if plan.workloads:
        lines += ["", *_table(plan)]
    for each in plan.workloads if reasons else ():
        if found := weighs(each) + amounts(each) + pending(each):
            lines += ["", each.title, *(f"  {line}" for line in found)]
    for each in plan.workloads:
        if each.unplaced is not None:
            lines += ["", *unplaced(each.unplaced, f" of {each.title}")]
    if plan.moves:
        lines += ["", f"{counted(plan.moves, 'running replica')} would be better elsewhere"]
    lines += [f"note: {note}" for note in plan.notes]
    return "\n".join([*lines, "", f"placed value {quality(plan)}"])


def quality(plan: PlannedCluster) -> str:
    """How good it is, and how good it could be at best."""
    return f"{plan.value:g} of at most {plan.bound:g} (gap {percent(plan.gap)})"


def unplaced(waiting: Waiting, whose: str = "") -> list[str]:
    """Why, and what would help."""
    return [
        f"no place for {counted(waiting.replicas, 'replica')}{whose}, because {waiting.reason}",
        f"  hint: {waiting.fix}",
    ]


def workload(planned: PlannedWorkload) -> list[str]:
    """All that was decided about one workload, and why."""
    lines = [f"{counted(planned.replicas, 'replica')} planned: {places(planned)}"]
    if planned.part is not None:
        pool, share = planned.part.pool, planned.part.percent
        lines.append(f"bound to pool {pool}, whose share of all pods of {planned.document} is {share} %")
    lines += weighs(planned) + amounts(planned)
    if planned.unplaced is not None:
        lines += unplaced(planned.unplaced)
    if planned.template is not None:
        lines.append(recorded(planned.template))
    lines += pending(planned)
    lines += LEGEND if planned.choices else ()
    for choice in planned.choices:
        lines += explained(choice)
    return lines


def weighs(planned: PlannedWorkload) -> list[str]:
    """How its spec says to weigh it."""
    said = [f"profile {planned.profile}"] if planned.profile else []
    said += [f"{term} {weight:g}" for term, weight in planned.weights.items()]
    return [f"weighed as its spec says: {', '.join(said)}"] if said else []


def pending(planned: PlannedWorkload) -> list[str]:
    """What a roll-out would bring."""
    return [f"waits for the next roll-out: {_template(planned.pending)}"] if planned.pending is not None else []


def recorded(template: Template) -> str:
    """What lies in an object."""
    return f"on record in its pod template: {_template(template)}"


def amounts(planned: PlannedWorkload) -> list[str]:
    """Each number that was chosen, with its reason."""
    return [f"{name} {each.amount}: {each.why}" for name, each in chosen(planned)]


def chosen(planned: PlannedWorkload) -> list[tuple[str, Amount]]:
    """Each number that was chosen, by what it is of."""
    found = sorted(planned.amounts.items(), key=lambda item: (item[0] != "replicas", item[0]))
    names = {"replicas": "replicas of all parts"} if planned.part is not None else {}
    return [(names.get(name, name), each) for name, each in found]


def places(planned: PlannedWorkload) -> str:
    """ "general/a 2, general/b 1"."""
    return ", ".join(f"{each} {each.replicas}" for each in planned.places) or "nowhere"


def explained(choice: ShownChoice) -> list[str]:
    """Why something was chosen: its terms, which add up to its score, beside those of the next best."""
    chosen, other = choice.chosen, choice.runner_up
    subject = f"{choice.subject} " if choice.subject else ""
    beside = f"; the next best, {other}, has {other.score:.4f}" if other else ""
    others = {term.name: (f"{term.value:.3f}", f"= {term.contribution:.4f}") for term in other.terms} if other else {}
    rows = [("TERM", "WEIGHT", "  VALUE", "  PART", *(("NEXT BEST'S VALUE", "  PART") if other else ("", "")))]
    for term in sorted(chosen.terms, key=lambda term: (-abs(term.contribution), term.name)):
        own = f"{term.weight:g}", f"x {term.value:.3f}", f"= {term.contribution:.4f}"
        rows.append((f"{term.family}.{term.name}", *own, *others.get(term.name, ("", ""))))
    lines = ["  {:16}{:7}{:8}{:11}{:17}  {}".format(*row).rstrip() for row in rows]
    return [f"{subject}{chosen}: score {chosen.score:.4f}{beside}", *lines]


def percent(part: float) -> str:
    """ "12 %"; of what is small, with a digit more."""
    return f"{100 * part:.0f} %" if part >= 0.0995 or part == 0 else f"{100 * part:.1f} %"


def _template(template: Template) -> str:
    parts = [f"{name} {amount}" for name, amount in template.requests.items()]
    parts += [f"spread over {' and '.join(f'{each}s' for each in template.spread)}"] if template.spread else []
    parts += [f"prefers {each}" for each in template.prefer]
    return "; ".join(parts) or "as its spec states it"


def _table(plan: PlannedCluster) -> Iterator[str]:
    rows = [("WORKLOAD", "REPLICAS", "WHERE")]
    for each in plan.workloads:
        count = sum(place.replicas for place in each.places)
        replicas = str(each.replicas) if count == each.replicas else f"{count} of {each.replicas}"
        rows.append((each.title, replicas, places(each)))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return (f"{name:{widths[0]}}  {count:{widths[1]}}  {where}" for name, count, where in rows)


def _use(share: Share) -> str:
    return f"{percent(share.now)} now, {percent(share.planned)} planned"


def document(plan: PlannedCluster, *, choices: bool = True) -> dict[str, Any]:
    """As plain values; docs/plan-json.md has the format. Without `choices` their terms are left out: they are long."""
    return {
        "nodes": plan.nodes,
        "requested": {name: {"now": share.now, "planned": share.planned} for name, share in plan.requested.items()},
        "value": plan.value,
        "bound": plan.bound,
        "gap": plan.gap,
        "workloads": [
            {
                "workload": each.document,
                **({"part": msgspec.to_builtins(each.part)} if each.part is not None else {}),
                "replicas": each.replicas,
                "weighs": {"profile": each.profile or None, "weights": each.weights} if weighs(each) else None,
                "amounts": {name: {"amount": a.amount, "why": a.why} for name, a in each.amounts.items()},
                "places": [{"pool": p.pool, "zone": p.zone, "replicas": p.replicas} for p in each.places],
                "decisions": [_choice(choice) for choice in each.choices] if choices else [],
                "recorded": _plain(each.template),
                "pending": _plain(each.pending),
                "unplaced": msgspec.to_builtins(each.unplaced),
            }
            for each in plan.workloads
        ],
        "notes": list(plan.notes),
    }


def _plain(template: Template | None) -> dict[str, Any] | None:
    if template is None:
        return None
    return {"requests": template.requests, "spread": template.spread, "prefer": template.prefer}


def _choice(choice: ShownChoice) -> dict[str, Any]:
    return {
        **({"subject": choice.subject} if choice.subject else {}),
        "chosen": _candidate(choice.chosen),
        "runnerUp": _candidate(choice.runner_up) if choice.runner_up is not None else None,
    }


def _candidate(candidate: ShownCandidate) -> dict[str, Any]:
    place = {"pool": candidate.pool, "zone": candidate.zone}
    names = ("family", "name", "value", "weight", "contribution")
    terms = [{name: getattr(term, name) for name in names} for term in candidate.terms]
    way = {"what": candidate.what, "amount": candidate.amount}
    return {**(way if candidate.what else place), "score": candidate.score, "terms": terms}
