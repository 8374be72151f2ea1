"""The first page: what needs somebody, then how each source stands, drift, objects, and what happened lately."""

from collections.abc import Iterable
from typing import Final

from reconciler.daemon.page.drift import cards
from reconciler.daemon.page.history import event_list, pass_table, passes
from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.objects import groups
from reconciler.daemon.page.parts import chip, commit, count, counts, health, hint, named, when
from reconciler.daemon.page.status import Overall, SourceStatus, Standing
from reconciler.model.health import Status
from reconciler.model.problem import Severity
from reconciler.model.state import Held

_SOURCES: Final = 50
_DRIFTS: Final = 5
_PASSES: Final = 8
_EVENTS: Final = 15
_EACH: Final = 10  # of the things of one sort that need somebody
_NAMED: Final = 5  # objects that are held for one reason
_BAD: Final = (Status.DEGRADED, Status.MISSING)
_TONES: Final = {
    Standing.SYNCED: "good",
    Standing.SYNCING: "busy",
    Standing.STARTING: "busy",
    Standing.BEHIND: "busy",
    Standing.FAILING: "bad",
    Standing.SUSPENDED: "calm",
}


def overview(overall: Overall, *, way_out: bool = False) -> str:
    return page(
        "Overview",
        "/",
        overall,
        _attention(overall),
        _sources(overall),
        _drift(overall),
        groups(overall),
        section("history", "Recent history", _passes(overall), _events(overall)),
        way_out=way_out,
    )


def _attention(overall: Overall) -> Html:
    """All that does not go well by itself."""
    found: list[Html] = [tag("li", f"Not ready yet: {words}") for words in overall.waiting]
    for source in overall.sources:
        found += _of_source(source)
    bad = [row for row in overall.rows if row.health.status in _BAD]
    found += [tag("li", named(row.identity), " ", health(row.health)) for row in bad[:_EACH]]
    found += _more(len(bad), "degraded or missing object", "/objects?health=degraded")
    wrong = [event for event in overall.wrong if event.source]
    for event in wrong[:_EACH]:
        name = named(event.identity) if event.identity else tag("b", event.subject or event.source)
        found.append(tag("li", chip(event.type.value, "bad"), " ", name, f": {event.message}", hint(event.hint)))
    found += _more(len(wrong), "failure", "/history")
    if overall.drifts:
        found.append(
            tag("li", tag("a", f"{count(len(overall.drifts), 'object')} not as Git states", href="/drift"), " (drift)")
        )
    if found:
        return section("attention", "Needs attention", tag("ul", *found, class_="attention"))
    return section("attention", "All is well", tag("p", f"{_sentence(overall)}.", class_="well"))


def _more(number: int, noun: str, href: str) -> list[Html]:
    if number <= _EACH:
        return []
    return [tag("li", tag("a", f"and {count(number - _EACH, f'more {noun}')}", href=href))]


def _sentence(overall: Overall) -> str:
    number = len(overall.rows)
    return f"{count(number, 'object')} of {count(len(overall.sources), 'source')}, nothing waits for you"


def _of_source(source: SourceStatus) -> Iterable[Html]:
    name = tag("b", source.name)
    if source.unreachable:
        yield tag("li", chip("unreachable", "bad"), " ", name, f": {source.unreachable}")
    if source.trouble:
        yield tag("li", chip("sync failed", "bad"), " ", name, f": {source.trouble}")
    for path in source.missing:
        yield tag("li", chip("missing", "bad"), " ", name, f": there is no folder {path} in this revision")
    errors = [problem for problem in source.problems if problem.severity is Severity.ERROR]
    for problem in errors[:_EACH]:
        yield tag("li", chip("invalid", "bad"), " ", tag("code", str(problem)), hint(problem.hint))
    if len(errors) > _EACH:
        yield tag("li", f"and {count(len(errors) - _EACH, 'more error')} in {source.name}")
    yield from _held(source)


def _held(source: SourceStatus) -> Iterable[Html]:
    """What waits for a person, by reason: many deletions have one."""
    reasons = _by_reason(source.held)
    for (reason, words), held in list(reasons.items())[:_EACH]:
        names = [join(", " if number else None, named(each.identity)) for number, each in enumerate(held[:_NAMED])]
        more = f" and {len(held) - _NAMED:,} more" if len(held) > _NAMED else None
        yield tag("li", chip("held", "wait"), " ", *names, more, f": {reason}", hint(words))
    rest = source.held_more + sum(len(held) for held in list(reasons.values())[_EACH:])
    if rest:
        yield tag("li", f"and {count(rest, 'more held action')} in {source.name}")


def _by_reason(held: Iterable[Held]) -> dict[tuple[str, str], list[Held]]:
    reasons: dict[tuple[str, str], list[Held]] = {}
    for each in held:
        reasons.setdefault((each.reason.removeprefix("held: "), each.hint), []).append(each)
    return reasons


def _sources(overall: Overall) -> Html:
    shown = overall.sources[:_SOURCES]
    more = len(overall.sources) - len(shown)
    return section(
        "sources",
        count(len(overall.sources), "source"),
        tag("div", *(_source(source, overall) for source in shown), class_="cards"),
        tag("p", f"and {count(more, 'more source')}: see the JSON") if more else None,
    )


def _source(source: SourceStatus, overall: Overall) -> Html:
    revision = commit(source.revision, overall.now) if source.revision else "no revision seen yet"
    last = source.passes[0] if source.passes else None
    applied = None
    if source.applied is not None:
        mark = tag("code", source.applied.commit[:12] or "a folder")
        applied = join(mark, ", ", when(source.applied.time, overall.now))
    paths = ", ".join(path for path in source.paths if path != ".")
    return tag(
        "article",
        tag("h3", source.name, " ", chip(source.standing.value, _TONES[source.standing])),
        tag("p", tag("span", source.url, class_="url"), f" {source.ref}", f" ({paths})" if paths else None),
        tag(
            "dl",
            *_pair("Revision", revision),
            *(_pair("Applied", applied) if applied else ()),
            *(_pair("Last pass", when(last.finished, overall.now)) if last else ()),
            *_pair("Objects", counts(source.counts, f"/objects?source={source.name}") if source.objects else "none"),
        ),
        class_="card source",
    )


def _pair(name: str, content: Html | str) -> tuple[Html, Html]:
    return tag("dt", name), tag("dd", content)


def _drift(overall: Overall) -> Html:
    number = len(overall.drifts)
    past = None
    if overall.ended:
        words = f"{count(len(overall.ended), 'drift')} ended lately"
        past = tag(
            "p", tag("a", words, href="/drift"), ", the last ", when(overall.ended[0].ended or overall.now, overall.now)
        )
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
