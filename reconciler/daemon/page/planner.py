"""The planner: who plans, how good the plan is, what has no place, where everything is, how full the nodes are."""

from collections.abc import Iterator
from typing import Final

from reconciler.daemon.page.drawn import drawn
from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.paging import Slice, links
from reconciler.daemon.page.parts import brief, cells, chip, count, hint, named, table, when
from reconciler.daemon.page.status import Overall, PlannerStatus
from reconciler.kube.names import Identity
from reconciler.model.planned import PlannedCluster, PlannedWorkload
from reconciler.planner import words
from reconciler.planner.chart import chart
from reconciler.planner.drawing import heat

PER_PAGE: Final = 50
_LACKING: Final = 20
_NOTES: Final = 20


def planner_page(overall: Overall, number: int, *, way_out: bool = False) -> str:
    """All that was decided, `PER_PAGE` workloads at a time, those without a place first."""
    planner = overall.planner or PlannerStatus()
    plan = planner.newest.plan if planner.newest is not None else None
    return page(
        "Planner",
        "/planner",
        overall,
        section("planner", "How it stands", *_standing(overall, planner)),
        _unplaced(plan, overall) if plan is not None else None,
        _nodes(planner),
        *(_workloads(plan, overall, number) if plan is not None else ()),
        _notes(plan) if plan is not None else None,
        way_out=way_out,
    )


def planned_section(overall: Overall, identity: Identity) -> Html | None:
    """What was decided about one object; None where nothing was."""
    if overall.planner is None or overall.planner.newest is None:
        return None
    if (planned := overall.planner.newest.plan.of(identity)) is None:
        return None
    text = brief("\n".join(words.workload(planned)), 20_000)
    curve = overall.planner.newest.curve(planned.document)
    shown = None
    if curve is not None:
        shown = tag("div", drawn(chart(planned.document, curve)), class_="drawing", tabindex="0")
    return section("plan", "Plan", shown, tag("pre", text))


def _standing(overall: Overall, planner: PlannerStatus) -> Iterator[Html]:
    if overall.planner is None:
        yield tag("p", "No planner is configured: what specs leave open is as Kubernetes has it by default.")
        return
    facts: list[tuple[str, Html | str]] = [("Plans", _who(planner))]
    if planner.newest is not None:
        plan, at = planner.newest.plan, planner.newest.at
        facts.append(("Planned", join(when(at, overall.now), ", as it is since ", when(plan.made, overall.now))))
        facts.append(("Without a place", count(plan.unplaced, "replica")))
        facts.append(("Waits for a roll-out", count(plan.pending, "workload")))
        facts.append(("Placed value", words.quality(plan)))
        facts += [
            (f"Requested {name}", f"{words.percent(share.now)} now, {words.percent(share.planned)} planned")
            for name, share in plan.requested.items()
        ]
        facts.append(("Profile", plan.profile or "balanced"))
        facts.append(("Took", f"{plan.seconds:.1f} s"))
    yield tag("dl", *(part for name, value in facts for part in (tag("dt", name), tag("dd", value))))
    if planner.newest is None:
        yield tag("p", "No plan has been made yet.")
    for problem in planner.lacking[:_LACKING]:
        yield tag("p", chip("lacking", "wait"), " ", brief(problem))


def _who(planner: PlannerStatus) -> str:
    if planner.ours:
        return "this daemon"
    return brief(f"another daemon, {planner.holder}", 200) if planner.holder else "nobody at present"


def _unplaced(plan: PlannedCluster, overall: Overall) -> Html | None:
    found = [each for each in plan.workloads if each.unplaced is not None]
    if not found:
        return None
    names = _Names(overall)
    items = []
    for each in found[:_LACKING]:
        if (lack := each.unplaced) is not None:
            why = f": {count(lack.replicas, 'replica')}, because {brief(lack.reason)}"
            items.append(tag("li", names.of(each.identity), why, hint(lack.fix)))
    more = tag("p", f"and {count(len(found) - _LACKING, 'more workload')}") if len(found) > _LACKING else None
    return section("unplaced", "Without a place", tag("ul", *items, class_="attention"), more)


class _Names:
    """A Job that is still to be made has no page."""

    def __init__(self, overall: Overall) -> None:
        self._known = {row.identity for row in overall.rows}

    def of(self, identity: Identity) -> Html:
        return named(identity) if identity in self._known else tag("span", str(identity), class_="object")


def _nodes(planner: PlannerStatus) -> Html | None:
    nodes = planner.newest.nodes if planner.newest is not None else ()
    if not nodes:
        return None
    shown = tag("div", drawn(heat(nodes)), class_="drawing", tabindex="0")
    return section("nodes", count(len(nodes), "node"), shown)


def _workloads(plan: PlannedCluster, overall: Overall, number: int) -> Iterator[Html | None]:
    every = sorted(plan.workloads, key=lambda each: (each.unplaced is None, each.pending is None, each.identity))
    part = Slice.of(every, number, PER_PAGE)
    names = _Names(overall)
    heads = ("Object", "Replicas", "Where", "Chosen", "State")
    rows = [
        cells(
            ("Object", names.of(each.identity)),
            ("Replicas", str(each.replicas)),
            ("Where", brief(words.places(each), 300)),
            ("Chosen", brief(", ".join(f"{name} {amount.amount}" for name, amount in words.chosen(each)), 300)),
            ("State", _state(each)),
        )
        for each in part.items
    ]
    left = tag("p", f"and {count(plan.left_out, 'workload')} for which the plan had no room") if plan.left_out else None
    shown = table("workloads", heads, rows) if rows else tag("p", "Nothing is left open.")
    yield section("workloads", count(part.total, "workload"), shown, left)
    yield links(part, "/planner")


def _state(planned: PlannedWorkload) -> Html:
    if planned.unplaced is not None:
        return chip(f"{planned.unplaced.replicas} without a place", "bad")
    return chip("waits for a roll-out", "wait") if planned.pending is not None else chip("placed", "good")


def _notes(plan: PlannedCluster) -> Html | None:
    if not plan.notes:
        return None
    return section("notes", "Notes", tag("ul", *(tag("li", brief(note)) for note in plan.notes[:_NOTES])))
