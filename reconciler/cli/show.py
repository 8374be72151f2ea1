"""How verbs print: to a terminal in colour, to a pipe without, always through the same views."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from reconciler.model.change import Change
from reconciler.model.planned import PlannedCluster
from reconciler.model.problem import Problem, Severity
from reconciler.model.snapshot import Skipped, SkipReason
from reconciler.planner import words
from reconciler.plural import counted


def out(text: str) -> None:
    """To standard output, with exactly one line end."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def changes(
    found: Sequence[Change], problems: Sequence[Problem], *, output: str, planned: PlannedCluster | None = None
) -> None:
    """A plan in one of its views, with what a planner decided where one was asked."""
    if output == "json":
        from reconciler.diff.views import json as view

        out(view.render(found, problems, words.document(planned) if planned is not None else None))
    elif output == "markdown":
        from reconciler.diff.views import markdown

        out(markdown.render(found, problems, decided=words.text(planned, reasons=True) if planned is not None else ""))
    else:
        from reconciler.diff.views import text

        out(text.render(found, problems, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
        if planned is not None:
            out(f"\n{words.text(planned, reasons=True)}")


def problems(found: Sequence[Problem], skipped: Sequence[Skipped], *, documents: int, output: str) -> None:
    """What `validate` says."""
    left_out = [each for each in skipped if each.reason is not SkipReason.IGNORED]
    if output == "json":
        from reconciler.diff.views.json import document

        body = {
            "problems": document((), found)["problems"],
            "skipped": [{"path": s.path, "reason": s.reason.value, "detail": s.detail} for s in left_out],
            "documents": documents,
        }
        out(json.dumps(body, indent=2))
        return
    for problem in found:
        out("\n".join(problem.lines()))
    for each in left_out:
        out(f"{each.path}: skipped: {each.reason.value}{f' ({each.detail})' if each.detail else ''}")
    errors = sum(1 for problem in found if problem.severity is Severity.ERROR)
    valid = f"{counted(documents, 'document')} {'is' if documents == 1 else 'are'} valid"
    out(f"{valid}; {counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}")


def hint(text: str) -> None:
    """To standard error, so that it is in nobody's JSON; nothing where there is no hint."""
    if text:
        sys.stdout.flush()
        sys.stderr.write(f"hint: {text}\n")


def when(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


DONE: Final = {
    "create": "created",
    "update": "changed",
    "replace": "replaced",
    "adopt": "adopted",
    "prune": "deleted",
    "keep": "kept",
}  # by action


def done(counts: Mapping[str, int]) -> str:
    """What a pass did: "3 created, 1 changed, 2 deleted"; "nothing" where there was nothing to do."""
    return ", ".join(f"{counts[action]} {word}" for action, word in DONE.items() if counts.get(action)) or "nothing"


def table(rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Rows in aligned columns; the first row is the heading."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))] if rows else []
    lines = [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(lines)
