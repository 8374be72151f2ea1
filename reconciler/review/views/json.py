"""A review for machines. schemas/review.json is its schema; fields are added, never changed or removed."""

import json
from typing import Any, Final

import msgspec

from reconciler.diff.views import json as plan
from reconciler.model.review import Risk
from reconciler.model.snapshot import Revision
from reconciler.planner.requests import written
from reconciler.review.decisions import Decided, Decisions
from reconciler.review.review import Review

VERSION: Final = 1


def render(review: Review) -> str:
    """`document` as indented JSON with a line end."""
    return json.dumps(document(review), indent=2, ensure_ascii=False) + "\n"


def document(review: Review) -> dict[str, Any]:
    """As plain JSON values. `changes` are as in a plan (docs/plan-json.md)."""
    merged = plan.document(review.effects.merged, review.problems)
    return {
        "version": VERSION,
        "source": review.source,
        "base": _revision(review.base),
        "head": _revision(review.head),
        "against": review.against,
        "verdict": str(review.verdict),
        "risks": [_risk(risk) for risk in review.risks],
        "summary": merged["summary"],
        "changes": merged["changes"],
        "anyway": plan.document(review.effects.anyway)["changes"],
        "order": [[identity._asdict() for identity in step] for step in review.order],
        "problems": merged["problems"],
        "images": [
            {**change.identity._asdict(), "before": change.before, "after": change.after, "builds": change.builds}
            for change in review.images
        ],
        "planner": _planner(review.decisions) if review.decisions is not None else None,
    }


def _planner(found: Decisions) -> dict[str, Any]:
    return {
        "workloads": [
            {**each.identity._asdict(), "before": _decided(each.before), "after": _decided(each.after)}
            for each in found.changed
        ],
        "pushed": [{**m.identity._asdict(), "from": m.origin, "to": m.target or None} for m in found.pushed],
        "price": {"before": found.before, "after": found.after},
    }


def _decided(decided: Decided | None) -> dict[str, Any] | None:
    if decided is None:
        return None
    return {
        "replicas": decided.replicas,
        "places": [{"pool": each.pool, "zone": each.zone, "replicas": each.replicas} for each in decided.places],
        "requests": {"cpu": written("cpu", decided.cpu / 1000), "memory": written("memory", decided.memory)},
        "price": decided.price,
        "unplaced": msgspec.to_builtins(decided.unplaced),
    }


def _revision(revision: Revision) -> dict[str, str]:
    return {
        "commit": revision.commit,
        "ref": revision.ref,
        "author": revision.author,
        "time": revision.time.isoformat(),
        "subject": revision.subject,
    }


def _risk(risk: Risk) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "code": str(risk.code),
        "level": str(risk.level),
        **risk.identity._asdict(),
        "message": risk.message,
    }
    if risk.origin is not None:
        shown["origin"] = {"path": risk.origin.path, "line": risk.origin.line}
    return shown
