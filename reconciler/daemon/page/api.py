"""/api/status and /api/planner: the same for machines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reconciler.daemon.page.objects import Filter
from reconciler.daemon.page.status import Overall, PlannerStatus, SourceStatus
from reconciler.drift import views
from reconciler.model.drift import Drift, Wanted
from reconciler.model.snapshot import Revision
from reconciler.planner import words
from reconciler.planner.loads import NodeLoad

if TYPE_CHECKING:
    from reconciler.planner.curves import Curve  # arrays come with it


def document(overall: Overall, wanted: Filter) -> Mapping[str, Any]:
    """Everything as JSON has it; of the objects those that `wanted` chooses."""
    return {
        "version": overall.version,
        "install": overall.install,
        "time": overall.now.isoformat(),
        "waitingFor": list(overall.waiting),
        "sources": [_source(source) for source in overall.sources],
        "drift": [_drift(drift) for drift in overall.drifts],
        "driftEnded": [_drift(drift) for drift in overall.ended],
        "planner": _planner(overall.planner) if overall.planner is not None else None,
        "failures": [
            {
                "source": event.source,
                "object": str(event.identity) if event.identity else None,
                "subject": event.subject or None,
                "since": event.time.isoformat(),
                "message": event.message,
                "hint": event.hint,
            }
            for event in overall.wrong
        ],
        "objects": [
            {
                "object": str(row.identity),
                "group": row.identity.group,
                "source": row.source,
                "health": row.health.status.value,
                "message": row.health.message,
                "statedIn": str(row.origin) if row.origin else None,
            }
            for row in wanted.choose(overall.rows)
        ],
    }


def planner_document(overall: Overall, workload: str) -> Mapping[str, Any] | None:
    """The plan with its terms, how full each node is, and the demand of `workload`; None where none is configured."""
    if overall.planner is None:
        return None
    newest = overall.planner.newest
    curve = newest.curve(workload) if newest is not None else None
    return {
        **_planner(overall.planner, choices=True),
        "nodes": [_node(node) for node in newest.nodes] if newest is not None else [],
        "demand": _curve(curve) if curve is not None else None,
    }


def _planner(planner: PlannerStatus, *, choices: bool = False) -> Mapping[str, Any]:
    newest = planner.newest
    return {
        "holder": planner.holder or None,
        "ours": planner.ours,
        "lacking": list(planner.lacking),
        "made": newest.at.isoformat() if newest is not None else None,
        "plan": words.document(newest.plan, choices=choices) if newest is not None else None,
    }


def _node(node: NodeLoad) -> Mapping[str, Any]:
    return {
        "name": node.name,
        "pool": node.pool,
        "zone": node.zone,
        "there": node.there,
        "requested": {name: {"now": part.now, "planned": part.planned} for name, part in node.parts.items()},
    }


def _curve(curve: "Curve") -> Mapping[str, Any]:
    return {
        "begin": curve.begin.isoformat(),
        "step": curve.step,
        "forecastBy": curve.rule,
        "perReplica": curve.carrying.each,
        "measured": curve.demand,
        "forecast": curve.ready,
        "replicas": curve.replicas,
        "carried": curve.carried,
    }


def _source(source: SourceStatus) -> Mapping[str, Any]:
    last = source.passes[0] if source.passes else None
    return {
        "source": source.name,
        "url": source.url,
        "ref": source.ref,
        "paths": list(source.paths),
        "standing": source.standing.value,
        "revision": _revision(source.revision) if source.revision else None,
        "applied": {"commit": source.applied.commit, "time": source.applied.time.isoformat()}
        if source.applied
        else None,
        "unreachable": source.unreachable or None,
        "failure": source.trouble or None,
        "health": {status.value: number for status, number in source.counts.items()},
        "problems": [
            {"severity": p.severity.value, "code": p.code, "text": str(p), "hint": p.hint} for p in source.problems
        ],
        "skipped": [{"path": s.path, "reason": s.reason.value, "detail": s.detail} for s in source.skipped],
        "missing": list(source.missing),
        "held": [each.document() for each in source.held],
        "heldMore": source.held_more,
        "images": {str(i): one if isinstance(one, str) else None for i, one in sorted(source.images.items())},
        "last": {"revision": _revision(last.revision), **last.document()} if last else None,
    }


def _revision(revision: Revision) -> Mapping[str, Any]:
    return {
        "commit": revision.commit,
        "author": revision.author,
        "subject": revision.subject,
        "time": revision.time.isoformat(),
    }


def _place(place: Wanted) -> Mapping[str, Any]:
    wrote = _revision(place.revision) if place.revision else dict.fromkeys(("commit", "author", "subject", "time"))
    return {"path": place.path, "line": place.line, **wrote}


def _drift(drift: Drift) -> Mapping[str, Any]:
    """As `reconciler drift --output json` has it, and what only a daemon knows."""
    return {
        **views.document(views.Attributed(drift)),
        "stated": [_place(place) for place in drift.wanted],
        "source": drift.source,
        "state": drift.state.value,
        "noticed": drift.noticed.isoformat(),
        "until": drift.until.isoformat() if drift.until else None,
        "ended": drift.ended.isoformat() if drift.ended else None,
        "healedInARow": drift.times,
    }
