"""Drift: what differs, who did it, and what is done about it."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.paging import Slice, links
from reconciler.daemon.page.parts import brief, chip, commit, count, hint, named, spaced, when
from reconciler.daemon.page.status import Overall
from reconciler.diff.views.fields import Line, lines, visible
from reconciler.model.change import FieldChange
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState, Wanted
from reconciler.model.manifest import MANAGER, DriftMode

PER_PAGE: Final = 15
_ENDED: Final = 10
_FIELDS: Final = 20  # of one object
_AUTHORS: Final = 3  # of one field
_PLACES: Final = 3
_WIDE: Final = 300  # characters of a line
_COMPARED: Final = 20_000  # characters of a field: comparing more takes too long
_ROOM: Final = 3_000  # characters of the markup of one object's differences
_ROOM_ALONE: Final = 60_000
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


def card(drift: Drift, now: datetime, *, alone: bool = False) -> Html:
    """One drifted object: what differs with who made it so, who wanted it otherwise, and what happens next.

    `alone` on the object's own page, where there is room for more.
    """
    room = _Room(_ROOM_ALONE if alone else _ROOM)
    name = tag("span", str(drift.identity)) if alone else named(drift.identity)
    chips = [chip(_KINDS[drift.kind], "kind"), _state(drift)]
    return tag(
        "article",
        tag("h3", name),
        tag("p", *spaced(chips), " ", _next(drift, now), class_="meta"),
        tag("p", brief(drift.reason), class_="said") if drift.reason else None,
        *_fields(drift, room, now),
        *(_wanted(each, now) for each in drift.wanted[:_PLACES]),
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


class _Room:
    """How many characters of differences still fit: no page grows with what somebody wrote into a ConfigMap."""

    def __init__(self, size: int) -> None:
        self._left = size

    def __bool__(self) -> bool:
        return self._left > 0

    def take(self, found: Iterable[Line]) -> list[Html]:
        """The lines that fit; of the rest how many there are."""
        shown: list[Html] = []
        left_out = 0
        for line in found:
            if self._left <= 0:
                left_out += 1
                continue
            shown.append(_line(line))
            self._left -= len(shown[-1])
        if left_out:
            shown.append(tag("span", f"… and {count(left_out, 'more line')}", class_="line same"))
        return shown


def _fields(drift: Drift, room: _Room, now: datetime) -> Iterator[Html]:
    """As many as there is room for; of the rest how many there are."""
    for number, field in enumerate(drift.fields):
        if number == _FIELDS or not room:
            yield tag("p", f"and {count(len(drift.fields) - number, 'more field')}")
            return
        yield _field(field, room, now)


def _field(field: DriftedField, room: _Room, now: datetime) -> Html:
    by = [_author(each, now) for each in field.by[:_AUTHORS] if (each.manager, each.operation) != (MANAGER, "Apply")]
    who = tag("p", "changed by ", *_listed(by), class_="who") if by else None
    shown = room.take(_lines(field))
    return tag(
        "div",
        tag("pre", *shown, tabindex="0", aria_label=f"difference of {brief(field.path, _WIDE)}"),
        who,
        class_="field",
    )


def _lines(field: DriftedField) -> Iterable[Line]:
    if field.wanted == field.found:  # what differs is not for people to see
        return (Line("~", f"{visible(field.path)}: {field.found}"),)
    stated, found = _plain(field.wanted), _plain(field.found)
    if len(str(stated)) + len(str(found)) > _COMPARED:
        sizes = f"{len(str(stated)):,} characters, {len(str(found)):,} were found: too long to be compared here"
        return (Line("~", f"{visible(field.path)}: {sizes}"),)
    return lines(FieldChange(field.path, stated, found))


def _plain(value: Any) -> Any:
    """Lists and mappings as text, which is compared line by line."""
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value


def _line(line: Line) -> Html:
    """One line of a difference: "-" is what Git states, "+" what the cluster has."""
    words = line.text
    kind = _WHAT[line.sign]
    sign = f"{line.sign}\N{NO-BREAK SPACE}"  # it does not stand alone at the end of a narrow line
    if line.became is None:
        return tag("span", f"{sign}{brief(words, _WIDE)}\n", class_=f"line {kind}")
    stated, found = line.became
    return tag(
        "span",
        f"{sign}{brief(words, _WIDE)}",
        tag("del", brief(stated, _WIDE)),
        " → ",
        tag("ins", brief(found, _WIDE)),
        "\n",
        class_=f"line {kind}",
    )


def _author(author: Author, now: datetime) -> Html:
    words = [author.operation, f"of {author.subresource}" if author.subresource else ""]
    how = " ".join(word for word in words if word)
    at = join(", ", when(author.time, now)) if author.time else None
    return join(tag("b", brief(author.manager, 60) or "somebody"), f" ({how})" if how else None, at)


def _listed(items: list[Html]) -> list[Html | str]:
    found: list[Html | str] = []
    for number, item in enumerate(items):
        found += [" and ", item] if number else [item]
    return found


def _wanted(wanted: Wanted, now: datetime) -> Html:
    place = tag("code", f"{wanted.path}:{wanted.line}" if wanted.line else wanted.path)
    said = join(": ", commit(wanted.revision, now)) if wanted.revision else None
    return tag("p", "Git states it in ", place, said, class_="wanted")
