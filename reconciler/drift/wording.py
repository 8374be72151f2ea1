"""Drift in words, and cut to a size that can be kept."""

import json
from collections.abc import Iterable
from typing import Any, Final

from reconciler.drift.attribution import authors
from reconciler.model.change import ABSENT, Change, Live
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind

_FIELDS: Final = 3  # of a drifted object that one sentence names
_SHOWN: Final = 100  # characters of a value in a sentence
_KEPT_FIELDS: Final = 50
_KEPT: Final = 1000  # characters of a value that is kept


def drifted_fields(change: Change, live: Live | None) -> tuple[DriftedField, ...]:
    """The fields of `change`, each with who else owns it in `live`. What is long is cut."""
    return tuple(
        DriftedField(field.path, _cut(field.after), _cut(field.before), authors(live, field.path) if live else ())
        for field in change.fields[:_KEPT_FIELDS]
    )


def found(drift: Drift) -> str:
    """What is wrong, in one sentence: `edited: spec.replicas is 5, Git states 3 (by kubectl-edit)`."""
    clauses = [_clause(field, drift.kind) for field in drift.fields[:_FIELDS]]
    if len(drift.fields) > _FIELDS:
        clauses.append(f"and {len(drift.fields) - _FIELDS} more")
    what = "; ".join(clauses)
    match drift.kind:
        case DriftKind.DELETED:
            what = ""
        case DriftKind.REPLACED:
            what = "another object has its name now" + (f": {what}" if what else "")
    return ": ".join(part for part in (drift.kind.value, what) if part)


def others(drift: Drift) -> tuple[str, ...]:
    """The managers that own what drifted, besides us, the latest first."""
    return _names(author for field in drift.fields for author in field.by)


def _clause(field: DriftedField, kind: DriftKind) -> str:
    by = _names(field.by)
    who = f" (by {', '.join(by)})" if by else ""
    if kind is DriftKind.TAKEN:
        return f"{field.path} is as Git states it, but no longer ours{who}"
    is_now = "is gone" if field.found is ABSENT else f"is {_short(field.found)}"
    stated = "Git states nothing" if field.wanted is ABSENT else f"Git states {_short(field.wanted)}"
    return f"{field.path} {is_now}, {stated}{who}"


def _names(authors: Iterable[Author]) -> tuple[str, ...]:
    named = (f"{a.manager} ({a.subresource})" if a.subresource else a.manager for a in authors)
    return tuple(dict.fromkeys(named))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _cut(value: Any) -> Any:
    """A value as it is, or the beginning of its text."""
    if isinstance(value, dict | list):
        text = json.dumps(value, default=str)
    elif isinstance(value, str):
        text = value
    else:
        return value
    return value if len(text) <= _KEPT else f"{text[:_KEPT]}…"
