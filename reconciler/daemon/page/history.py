"""What happened: passes and events, newest first."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.paging import Slice, links
from reconciler.daemon.page.parts import brief, cells, chip, commit, count, hint, named, table, when
from reconciler.daemon.page.status import Overall
from reconciler.model.event import Event
from reconciler.model.state import Pass

PER_PAGE: Final = 30
_EVENTS: Final = 60


def history_page(overall: Overall, number: int, *, way_out: bool = False) -> str:
    """All passes that are remembered, and the last events of this daemon's life."""
    part = Slice.of(passes(overall), number, PER_PAGE)
    return page(
        "History",
        "/history",
        overall,
        section("passes", count(part.total, "pass", "passes"), pass_table(part.items, overall)),
        links(part, "/history"),
        section("events", "Events since the daemon started", event_list(overall.events[:_EVENTS], overall.now)),
        way_out=way_out,
    )


def passes(overall: Overall) -> list[tuple[str, Pass]]:
    """The passes over all sources, newest first."""
    found = [(source.name, each) for source in overall.sources for each in source.passes]
    return sorted(found, key=lambda pair: pair[1].finished, reverse=True)


def pass_table(found: Iterable[tuple[str, Pass]], overall: Overall) -> Html:
    several = len(overall.sources) > 1
    rows = []
    for source, each in found:
        own = [("Source", source)] if several else []
        rows.append(
            cells(
                ("When", when(each.finished, overall.now)),
                *own,
                ("Commit", commit(each.revision, overall.now)),
                ("Result", _result(each)),
            )
        )
    if not rows:
        return tag("p", "No pass has ended yet.")
    return table("passes", ("When", *(("Source",) if several else ()), "Commit", "Result"), rows)


def _result(each: Pass) -> Html:
    if each.superseded:
        word, kind = "superseded", "calm"
    elif each.ok:
        word, kind = "ok", "good"
    else:
        word, kind = f"{each.failed} failed" if each.failed else "failed", "bad"
    done = ", ".join(f"{number} {action}" for action, number in each.done.items()) or "nothing to do"
    messages = [tag("li", brief(message, 300)) for message in each.messages]
    return join(chip(word, kind), " ", done, tag("ul", *messages, class_="said") if messages else None)


def event_list(events: Iterable[Event], now: datetime) -> Html:
    items = [
        tag(
            "li",
            when(event.time, now),
            " ",
            chip(event.type.value),
            " ",
            named(event.identity) if event.identity else event.source or "the daemon",
            ": " if event.message else None,
            brief(event.message),
            hint(event.hint),
        )
        for event in events
    ]
    return tag("ul", *items, class_="events") if items else tag("p", "Nothing yet.")
