"""/api/status: the same for machines."""

from collections.abc import Mapping
from typing import Any

from reconciler.daemon.page.objects import Filter
from reconciler.daemon.page.status import Overall, SourceStatus
from reconciler.model.change import ABSENT
from reconciler.model.drift import Drift
from reconciler.model.snapshot import Revision


def document(overall: Overall, wanted: Filter) -> Mapping[str, Any]:
    """Everything as JSON has it; of the objects those that `wanted` chooses."""
    return {
        "version": overall.version,
        "install": overall.install,
        "time": overall.now.isoformat(),
        "waitingFor": list(overall.waiting),
        "sources": [_source(source) for source in overall.sources],
        "drift": [_drift(drift) for drift in overall.drifts],
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
        "held": [{"object": str(h.identity), "reason": h.reason, "hint": h.hint} for h in source.held],
        "heldMore": source.held_more,
        "last": {
            "revision": _revision(last.revision),
            "finished": last.finished.isoformat(),
            "ok": last.ok,
            "done": dict(last.done),
            "failed": last.failed,
            "messages": list(last.messages),
        }
        if last
        else None,
    }


def _revision(revision: Revision) -> Mapping[str, Any]:
    return {
        "commit": revision.commit,
        "author": revision.author,
        "subject": revision.subject,
        "time": revision.time.isoformat(),
    }


def _drift(drift: Drift) -> Mapping[str, Any]:
    return {
        "source": drift.source,
        "object": str(drift.identity),
        "kind": drift.kind.value,
        "mode": drift.mode.value,
        "state": drift.state.value,
        "noticed": drift.noticed.isoformat(),
        "until": drift.until.isoformat() if drift.until else None,
        "reason": drift.reason,
        "times": drift.times,
        "fields": [
            {
                "path": field.path,
                **({} if field.wanted is ABSENT else {"wanted": field.wanted}),
                **({} if field.found is ABSENT else {"found": field.found}),
                "by": [
                    {
                        "manager": author.manager,
                        "operation": author.operation,
                        "subresource": author.subresource,
                        "time": author.time.isoformat() if author.time else None,
                    }
                    for author in field.by
                ],
            }
            for field in drift.fields
        ],
        "wanted": [
            {"path": w.path, "line": w.line, "revision": _revision(w.revision) if w.revision else None}
            for w in drift.wanted
        ],
    }
