"""Drift for people, in 80 columns, and for machines (docs/drift-json.md)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

from reconciler.diff.views.fields import lines, visible
from reconciler.model.change import ABSENT, FieldChange
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState, Wanted
from reconciler.model.manifest import MANAGER, DriftMode
from reconciler.redact import CHANGED

VERSION: Final = 1  # of the JSON
_WIDTH: Final = 80
_NOTHING: Final = {"+": ("nothing", "{}"), "-": ("{}", "nothing"), "=": ("{}", "the same, but it is no longer ours")}
_WORDS: Final = {
    DriftKind.EDITED: "edited",
    DriftKind.TAKEN: "taken over",
    DriftKind.DISOWNED: "no longer ours",
    DriftKind.DELETED: "deleted",
    DriftKind.REPLACED: "replaced by another object of that name",
}


class Attributed(NamedTuple):
    """A drift, and for each of its fields where it was wanted; one place where it has no fields, none where unknown."""

    drift: Drift
    places: tuple[Wanted, ...] = ()


def text(found: Attributed) -> Iterator[str]:
    """The object, what Git states and what was found, who made it so, and who wanted it otherwise.

    Lines that are longer than 80 columns are names and values that cannot be cut without losing what they say.
    """
    drift, places = found
    yield f"{drift.identity}  {_WORDS[drift.kind]}{_said(drift)}"
    if not drift.fields:
        yield from (line for place in places[:1] for line in _place(place))
        return
    none = (None,) * len(drift.fields)
    fields = list(zip(drift.fields, places if len(places) == len(drift.fields) else none, strict=True))
    for (by, place), group in groupby(fields, lambda pair: (_others(pair[0]), pair[1])):
        for field, _ in group:
            yield from _field(field)
        if by:
            yield f"    by:     {', '.join(map(_author, by))}"
        if place is not None:
            yield from _place(place)


def document(found: Attributed) -> dict[str, Any]:
    """One drift as plain JSON values. Fields are added to it, never changed or removed."""
    drift, places = found
    shown: dict[str, Any] = {
        **drift.identity._asdict(),
        "drift": drift.kind.value,
        "mode": drift.mode.value,
        "converges": drift.state is not DriftState.STUBBORN,
        "reason": drift.reason,
        "fields": [],
        "stated": [stated(place) for place in dict.fromkeys(places)],
    }
    matching = len(places) == len(drift.fields)
    for number, field in enumerate(drift.fields):
        values = {name: v for name, v in (("wanted", field.wanted), ("found", field.found)) if v is not ABSENT}
        by = [
            {"manager": a.manager, "operation": a.operation, "time": _time(a.time), "subresource": a.subresource}
            for a in _others(field)
        ]
        place = stated(places[number]) if matching else None
        shown["fields"].append({"path": field.path, **values, "by": by, "stated": place})
    return shown


def _said(drift: Drift) -> str:
    said = []
    if drift.mode is DriftMode.ALERT:
        said.append("told, not healed")
    if drift.state is DriftState.STUBBORN:
        said.append("applying does not change it: a webhook?")
    if drift.reason:
        said.append(visible(drift.reason))
    return f" ({'; '.join(said)})" if said else ""


def _field(field: DriftedField) -> Iterator[str]:
    if field.wanted == CHANGED:
        yield f"  {visible(field.path)}"
        yield "    changed; a secret's values are not shown"
        return
    block = False
    for line in lines(FieldChange(field.path, field.wanted, field.found)):
        path, _, value = line.text.partition(": ")
        if line.became is not None:
            yield from _pair(path, *line.became)
        elif value and line.sign in _NOTHING and not block:
            git, now = _NOTHING[line.sign]
            yield from _pair(path, git.format(value), now.format(value))
        elif not block:
            block = True
            yield f"  {line.text.removesuffix(':')}"
            yield "    Git states the lines with -, found were those with +:"
        else:
            yield f"    {line.sign}{line.text.removeprefix(' ')}".rstrip()


def _pair(path: str, git: str, found: str) -> Iterator[str]:
    yield f"  {path}"
    yield f"    Git:    {git}"
    yield f"    found:  {found}"


def _place(place: Wanted) -> Iterator[str]:
    wrote = place.revision
    yield f"    wanted: {visible(place.path)}:{place.line}"
    if wrote is not None:
        name = wrote.author.partition(" <")[0]
        yield _cut(f"            {wrote.short}, {name}, {wrote.time.astimezone(UTC):%Y-%m-%d}: {wrote.subject}")


def _cut(line: str) -> str:
    line = visible(line)
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _author(author: Author) -> str:
    name = f"{author.manager} ({author.subresource})" if author.subresource else author.manager
    when = f" at {author.time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if author.time else ""
    return visible(name) + when


def _others(field: DriftedField) -> tuple[Author, ...]:
    return tuple(each for each in field.by if (each.manager, each.operation) != (MANAGER, "Apply"))


def stated(place: Wanted) -> dict[str, Any]:
    """A place in Git, and who wrote it."""
    wrote = place.revision
    return {
        "path": place.path,
        "line": place.line,
        "commit": wrote.commit if wrote else None,
        "author": wrote.author if wrote else None,
        "time": _time(wrote.time) if wrote else None,
        "subject": wrote.subject if wrote else None,
    }


def _time(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat() if time else None
