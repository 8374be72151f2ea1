"""Drift: what differs, who did it, and what is done about it."""

from datetime import datetime
from typing import Final

from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.paging import Slice, links
from reconciler.daemon.page.parts import chip, commit, count, hint, named, spaced, when
from reconciler.daemon.page.status import Overall
from reconciler.diff.views.fields import Line, lines, visible
from reconciler.model.change import FieldChange
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState, Wanted
from reconciler.model.manifest import MANAGER, DriftMode

PER_PAGE: Final = 25
_ENDED: Final = 20
_FIELDS: Final = 20  # of one object
_LINES: Final = 40  # of one field
_WIDE: Final = 500  # characters of a line
_WHAT: Final = {"+": "found", "-": "stated", "~": "changed", "=": "same", " ": "same"}
_KINDS: Final = {
    DriftKind.EDITED: "edited",
    DriftKind.TAKEN: "taken over",
    DriftKind.DISOWNED: "no longer marked as ours",
    DriftKind.DELETED: "deleted",
    DriftKind.REPLACED: "replaced by another object",
}
_STATES: Final = {
    DriftState.FOUND: "found",
    DriftState.HEALED: "healed",
    DriftState.FIGHT: "fight: it is changed back again and again",
    DriftState.STUBBORN: "applying does not change it",
    DriftState.WAITING: "waiting",
}


def drift_page(overall: Overall, number: int, *, way_out: bool = False) -> str:
    """All drift, newest first, `PER_PAGE` at a time."""
    part = Slice.of(overall.drifts, number, PER_PAGE)
    title = f"{count(len(overall.drifts), 'object')} not as Git states" if overall.drifts else "No drift"
    shown = section("drift", title, *cards(part.items, overall.now), links(part, "/drift"))
    return page("Drift", "/drift", overall, shown, ended(overall), way_out=way_out)


def ended(overall: Overall) -> Html | None:
    """What drifted lately and no longer does: healed within a moment, most of it would never be seen."""
    if not overall.ended:
        return None
    return section("ended", "Ended lately", *cards(overall.ended[:_ENDED], overall.now))


def cards(drifts: tuple[Drift, ...], now: datetime) -> list[Html]:
    """Each of `drifts`, and before them how to read a difference."""
    legend = tag(
        "p", "How to read it: ", tag("del", "what Git states"), " → ", tag("ins", "what was found"), class_="legend"
    )
    return [legend, *(card(drift, now) for drift in drifts)] if drifts else []


def card(drift: Drift, now: datetime, *, link: bool = True) -> Html:
    """One drifted object: what differs with who made it so, who wanted it otherwise, and what happens next."""
    name = named(drift.identity) if link else tag("span", str(drift.identity))
    chips = [chip(_KINDS[drift.kind], "kind"), _state(drift)]
    return tag(
        "article",
        tag("h3", name),
        tag("p", *spaced(chips), " ", _next(drift, now), class_="meta"),
        tag("p", drift.reason, class_="said") if drift.reason else None,
        *(_field(field, now) for field in drift.fields[:_FIELDS]),
        tag("p", f"and {count(len(drift.fields) - _FIELDS, 'more field')}") if len(drift.fields) > _FIELDS else None,
        *(_wanted(each, now) for each in drift.wanted),
        hint(_what_to_do(drift)),
        class_="card drift",
    )


def _what_to_do(drift: Drift) -> str:
    """For what nobody undoes by itself."""
    if drift.ended is not None or drift.mode is not DriftMode.ALERT:
        return ""
    return f"commit what is there, or make it what Git states: reconciler drift {drift.source} --heal {drift.identity}"


def _state(drift: Drift) -> Html:
    if drift.ended is not None and drift.state is not DriftState.HEALED:
        return chip("over", "calm")
    return chip(_STATES[drift.state], f"state-{drift.state.value}")


def _next(drift: Drift, now: datetime) -> Html:
    """Since when, and what is done about it."""
    parts: list[Html | str] = ["noticed ", when(drift.noticed, now)]
    if drift.ended is not None:
        parts += ["; over ", when(drift.ended, now)]
    elif drift.state is DriftState.FOUND and drift.mode is DriftMode.ALERT:
        parts.append("; it is told, not healed")
    if drift.times > 1:
        parts.append(f"; healed {drift.times} times in a row")
    if drift.until is not None and drift.ended is None:
        parts += ["; looked at again ", when(drift.until, now)]
    return join(f"source {drift.source}, ", *parts)


def _field(field: DriftedField, now: datetime) -> Html:
    found = list(lines(FieldChange(field.path, field.wanted, field.found)))
    if field.wanted == field.found:  # what differs is not for people to see
        found = [Line("~", f"{visible(field.path)}: {field.found}")]
    shown = [_line(line) for line in found[:_LINES]]
    if len(found) > _LINES:
        shown.append(tag("span", f"… and {count(len(found) - _LINES, 'more line')}", class_="line same"))
    by = [_author(each, now) for each in field.by if (each.manager, each.operation) != (MANAGER, "Apply")]
    who = tag("p", "changed by ", *_listed(by), class_="who") if by else None
    return tag("div", tag("pre", *shown, tabindex="0", aria_label=f"difference of {field.path}"), who, class_="field")


def _line(line: Line) -> Html:
    """One line of a difference: "-" is what Git states, "+" what the cluster has."""
    words = line.text
    kind = _WHAT[line.sign]
    sign = f"{line.sign}\N{NO-BREAK SPACE}"  # it does not stand alone at the end of a narrow line
    if line.became is None:
        return tag("span", f"{sign}{_cut(words)}\n", class_=f"line {kind}")
    stated, found = line.became
    return tag(
        "span",
        f"{sign}{_cut(words)}",
        tag("del", _cut(stated)),
        " → ",
        tag("ins", _cut(found)),
        "\n",
        class_=f"line {kind}",
    )


def _cut(words: str) -> str:
    return words if len(words) <= _WIDE else f"{words[:_WIDE]}…"


def _author(author: Author, now: datetime) -> Html:
    words = [author.operation, f"of {author.subresource}" if author.subresource else ""]
    how = " ".join(word for word in words if word)
    at = join(", ", when(author.time, now)) if author.time else None
    return join(tag("b", author.manager or "somebody"), f" ({how})" if how else None, at)


def _listed(items: list[Html]) -> list[Html | str]:
    found: list[Html | str] = []
    for number, item in enumerate(items):
        found += [" and ", item] if number else [item]
    return found


def _wanted(wanted: Wanted, now: datetime) -> Html:
    place = tag("code", f"{wanted.path}:{wanted.line}" if wanted.line else wanted.path)
    said = join(": ", commit(wanted.revision, now)) if wanted.revision else None
    return tag("p", "Git states it in ", place, said, class_="wanted")
