"""In words, for all views: images that would be built or move, and what the planner decides otherwise."""

from collections.abc import Iterator

from reconciler.model.planned import place
from reconciler.planner.requests import written
from reconciler.plural import counted
from reconciler.review.building import ImageChange
from reconciler.review.decisions import Decided, Decision, Decisions
from reconciler.review.review import Review


def images(review: Review) -> list[str]:
    """A line for each Image."""
    return [_image(change) for change in review.images]


def decisions(review: Review) -> list[str]:
    """What becomes of each workload, what is pushed aside, and what all of it costs; nothing where nothing changes."""
    found = review.decisions
    if found is None or not (found.changed or found.pushed):
        return []
    lines = [line for decision in found.changed for line in _decision(decision)]
    lines += [f"{move.identity} gives way on {move.origin}{_target(move.target)}" for move in found.pushed]
    return [*lines, *_total(found)]


def _image(change: ImageChange) -> str:
    if change.builds:
        return f"{change.identity} would be built" + (": its inputs changed" if change.before else "")
    if not change.after:
        return f"{change.identity} is no longer stated"
    return f"{change.identity}: {change.before or 'new'} → {change.after}"


def _decision(decision: Decision) -> Iterator[str]:
    before, after = decision.before, decision.after
    if after is None:
        yield f"{decision.identity}: no longer planned" + _price(before, None)
        return
    was = _words(before) if before is not None else {}
    now = _words(after)
    other = [what for what, words in now.items() if was.get(what) != words]
    parts = [f"{was[what]} → {now[what]}" if what in was else now[what] for what in other]
    yield f"{decision.identity}: {'; '.join(parts) or 'as before'}" + _price(before, after)
    if after.unplaced is not None and (before is None or before.unplaced != after.unplaced):
        lack = after.unplaced
        yield f"  no place for {counted(lack.replicas, 'replica')}, because {lack.reason}"


def _words(decided: Decided) -> dict[str, str]:
    where = ", ".join(f"{place(each.pool, each.zone)} {each.replicas}" for each in decided.places)
    return {
        "replicas": counted(decided.replicas, "replica"),
        "places": f"on {where}" if where else "nowhere",
        "requests": f"each {written('cpu', decided.cpu / 1000)} CPU, {written('memory', decided.memory)}",
    }


def _price(before: Decided | None, after: Decided | None) -> str:
    was, now = (each.price if each is not None else 0.0 for each in (before, after))
    if was is None or now is None or was == now:
        return ""
    return f"; price a month: {was:.2f} → {now:.2f}"


def _target(node: str) -> str:
    return f", would be better on {node}" if node else ""


def _total(found: Decisions) -> list[str]:
    if not (found.before or found.after):
        return []
    return [f"price of all that is planned, a month: {found.before:.2f} → {found.after:.2f}"]
