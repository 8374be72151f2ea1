"""The first page: what needs somebody, then how each source stands, drift, objects, and what happened lately."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from reconciler.daemon.page.drift import cards
from reconciler.daemon.page.history import event_list, pass_table, passes
from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.objects import groups
from reconciler.daemon.page.parts import brief, chip, count, health, hint, named, when
from reconciler.daemon.page.sources import some_sources
from reconciler.daemon.page.status import Overall, SourceStatus, Standing
from reconciler.model.change import HELD
from reconciler.model.health import Status
from reconciler.model.problem import Severity
from reconciler.model.state import Held

_DRIFTS: Final = 5
_PASSES: Final = 8
_EVENTS: Final = 10
_EACH: Final = 10  # of the things of one sort that need somebody
_ALL: Final = 30  # of all of these
_NAMED: Final = 3  # objects that are held for one reason
_BAD: Final = (Status.DEGRADED, Status.MISSING)


def overview(overall: Overall, *, way_out: bool = False) -> str:
    return page(
        "Overview",
        "/",
        overall,
        _attention(overall),
        some_sources(overall),
        _drift(overall),
        groups(overall),
        section("history", "Recent history", _passes(overall), _events(overall)),
        way_out=way_out,
    )


def _attention(overall: Overall) -> Html:
    """All that does not go well by itself, as far as there is room."""
    every = _troubles(overall)
    found = list(islice(every, _ALL))
    if not found:
        return section("attention", "All is well", tag("p", f"{_sentence(overall)}.", class_="well"))
    more = tag("p", "and more: see the pages of the objects, or the JSON") if next(every, None) else None
    return section("attention", "Needs attention", tag("ul", *found, class_="attention"), more)


def _troubles(overall: Overall) -> Iterator[Html]:
    for words in overall.waiting[:_EACH]:
        yield tag("li", f"Not ready yet: {brief(words)}")
    for source in overall.sources:
        yield from _of_source(source)
    bad = [row for row in overall.rows if row.health.status in _BAD]
    for row in bad[:_EACH]:
        yield tag("li", named(row.identity), " ", health(row.health))
    yield from _more(len(bad) - _EACH, "more degraded or missing object", "/objects")
    wrong = [event for event in overall.wrong if event.source]
    for event in wrong[:_EACH]:
        name = named(event.identity) if event.identity else tag("b", event.subject or event.source)
        yield tag("li", chip(event.type.value, "bad"), " ", name, f": {brief(event.message)}", hint(event.hint))
    yield from _more(len(wrong) - _EACH, "more failure", "/history")
    yield from _more(len(overall.drifts), "drifted object", "/drift")


def _more(number: int, noun: str, href: str) -> list[Html]:
    return [tag("li", tag("a", count(number, noun), href=href))] if number > 0 else []


def _sentence(overall: Overall) -> str:
    number = len(overall.rows)
    return f"{count(number, 'object')} of {count(len(overall.sources), 'source')}, nothing waits for you"


def _of_source(source: SourceStatus) -> Iterator[Html]:
    name = tag("b", source.name)
    if source.unreachable:
        yield tag("li", chip("unreachable", "bad"), " ", name, f": {brief(source.unreachable)}")
    if source.trouble:
        yield tag("li", chip("sync failed", "bad"), " ", name, f": {brief(source.trouble)}")
    for path in source.missing[:_EACH]:
        yield tag("li", chip("missing", "bad"), " ", name, f": there is no folder {brief(path, 200)} in this revision")
    errors = [problem for problem in source.problems if problem.severity is Severity.ERROR]
    for problem in errors[:_EACH]:
        yield tag("li", chip("invalid", "bad"), " ", tag("code", brief(str(problem))), hint(problem.hint))
    if len(errors) > _EACH:
        yield tag("li", f"and {count(len(errors) - _EACH, 'more error')} in {source.name}")
    yield from _held(source)


def _held(source: SourceStatus) -> Iterator[Html]:
    """What waits for a person, by reason: many deletions have one."""
    reasons = _by_reason(source.held)
    for (reason, words), held in list(reasons.items())[:_EACH]:
        names = [join(", " if number else None, named(each.identity)) for number, each in enumerate(held[:_NAMED])]
        more = f" and {len(held) - _NAMED:,} more" if len(held) > _NAMED else None
        yield tag("li", chip("held", "wait"), " ", *names, more, f": {brief(reason)}", hint(words))
    rest = source.held_more + sum(len(held) for held in list(reasons.values())[_EACH:])
    if rest:
        yield tag("li", f"and {count(rest, 'more held action')} in {source.name}")


def _by_reason(held: Iterable[Held]) -> dict[tuple[str, str], list[Held]]:
    reasons: dict[tuple[str, str], list[Held]] = {}
    for each in held:
        reasons.setdefault((each.reason.removeprefix(HELD), each.hint), []).append(each)
    return reasons


def _drift(overall: Overall) -> Html:
    number = len(overall.drifts)
    past = None
    if overall.ended:
        words = f"{count(len(overall.ended), 'drift')} ended lately"
        past = tag(
            "p", tag("a", words, href="/drift"), ", the last ", when(overall.ended[0].ended or overall.now, overall.now)
        )
    if not number and any(source.standing is Standing.STARTING for source in overall.sources):
        return section("drift", "Drift", tag("p", "Nothing is known of some sources yet."), past)
    if not number:
        return section("drift", "No drift", tag("p", "Every object is as Git states."), past)
    rest = number - _DRIFTS
    more = tag("p", tag("a", f"and {count(rest, 'more drifted object')}", href="/drift")) if rest > 0 else None
    title = f"{count(number, 'object')} not as Git states"
    return section("drift", title, *cards(overall.drifts[:_DRIFTS], overall.now), more, past)


def _passes(overall: Overall) -> Html:
    return pass_table(passes(overall)[:_PASSES], overall)


def _events(overall: Overall) -> Html:
    listed = event_list(overall.events[:_EVENTS], overall.now)
    return join(tag("h3", "Events"), listed, tag("p", tag("a", "More history", href="/history")))
