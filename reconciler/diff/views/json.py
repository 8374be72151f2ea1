"""A plan for machines. The format is described in docs/plan-json.md; fields are added, never changed or removed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.diff.views.summary import counts
from reconciler.model.change import ABSENT, Change, FieldChange
from reconciler.model.problem import Location, Problem

VERSION: Final = 1


def render(
    changes: Sequence[Change], problems: Sequence[Problem] = (), planned: Mapping[str, Any] | None = None
) -> str:
    """`document` as indented JSON with a line end, and what was `planned` where a planner was asked."""
    shown = document(changes, problems) | ({"planner": planned} if planned is not None else {})
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def document(changes: Sequence[Change], problems: Sequence[Problem] = ()) -> dict[str, Any]:
    """The plan as plain JSON values: all changes, unchanged objects too, in the order of identities."""
    return {
        "version": VERSION,
        "summary": {str(action): number for action, number in counts(changes).items()},
        "changes": [_change(change) for change in sorted(changes, key=lambda change: change.identity)],
        "problems": [_problem(problem) for problem in sorted(problems, key=lambda problem: problem.location)],
    }


def _change(change: Change) -> dict[str, Any]:
    shown: dict[str, Any] = {
        **change.identity._asdict(),
        "action": str(change.action),
        "reason": change.reason,
        "hint": change.hint,
        "fields": [_field(field) for field in change.fields],
    }
    if change.manifest is not None:
        shown["origin"] = {"path": change.manifest.origin.path, "line": change.manifest.origin.line}
    if change.uid:
        shown["uid"] = change.uid
    return shown


def _field(field: FieldChange) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": field.path}
    if field.before is not ABSENT:
        shown["before"] = field.before
    if field.after is not ABSENT:
        shown["after"] = field.after
    if field.note:
        shown["note"] = field.note
    return shown


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "severity": str(problem.severity),
        "code": problem.code,
        "location": _location(problem.location),
        "message": problem.message,
        "subject": problem.subject,
        "hint": problem.hint,
        "also": [_location(place) for place in problem.also],
    }


def _location(location: Location) -> dict[str, Any]:
    return {"path": location.path, "line": location.line, "column": location.column}
