"""How each source stands: its revision, what is applied, its objects, and what was left out."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.paging import Slice, links
from reconciler.daemon.page.parts import brief, chip, commit, count, counts, when
from reconciler.daemon.page.status import Overall, SourceStatus, Standing
from reconciler.model.image import Unknown
from reconciler.model.problem import Severity

PER_PAGE: Final = 12
_NOTES: Final = 5  # warnings of one source, and files that were left out
_TONES: Final = {  # in the order of concern
    Standing.FAILING: "bad",
    Standing.BEHIND: "busy",
    Standing.STARTING: "busy",
    Standing.SYNCING: "busy",
    Standing.SUSPENDED: "calm",
    Standing.SYNCED: "good",
}
_CONCERN: Final = list(_TONES)


def sources_page(overall: Overall, number: int, *, way_out: bool = False) -> str:
    """All sources, `PER_PAGE` at a time."""
    part = Slice.of(_sorted(overall), number, PER_PAGE)
    shown = section("sources", count(part.total, "source"), _cards(part.items, overall), links(part, "/sources"))
    return page("Sources", "/sources", overall, shown, way_out=way_out)


def some_sources(overall: Overall) -> Html:
    """Those of most concern."""
    every = _sorted(overall)
    rest = len(every) - PER_PAGE
    more = tag("p", tag("a", f"and {count(rest, 'more source')}", href="/sources")) if rest > 0 else None
    return section("sources", count(len(every), "source"), _cards(every[:PER_PAGE], overall), more)


def _sorted(overall: Overall) -> list[SourceStatus]:
    return sorted(overall.sources, key=lambda source: (not source.unreachable, _CONCERN.index(source.standing)))


def _cards(sources: Iterable[SourceStatus], overall: Overall) -> Html:
    return tag("div", *(_source(source, overall) for source in sources), class_="cards")


def _source(source: SourceStatus, overall: Overall) -> Html:
    revision = commit(source.revision, overall.now) if source.revision else "no revision seen yet"
    last = source.passes[0] if source.passes else None
    applied = None
    if source.applied is not None:
        mark = tag("code", source.applied.commit[:12] or "a folder")
        applied = join(mark, ", ", when(source.applied.time, overall.now))
    paths = brief(", ".join(path for path in source.paths if path != "."), 200)
    return tag(
        "article",
        tag("h3", source.name, " ", chip(source.standing.value, _TONES[source.standing])),
        tag(
            "p",
            tag("span", brief(source.url, 200), class_="url"),
            f" {brief(source.ref, 100)}",
            f" ({paths})" if paths else None,
        ),
        tag(
            "dl",
            *_pair("Revision", revision),
            *(_pair("Applied", applied) if applied else ()),
            *(_pair("Last pass", when(last.finished, overall.now)) if last else ()),
            *_pair("Objects", counts(source.counts, f"/objects?source={source.name}") if source.objects else "none"),
        ),
        *_notes(source),
        class_="card source",
    )


def _notes(source: SourceStatus) -> Iterator[Html]:
    """What nobody must do something about, and somebody may want to know: folded."""
    if source.images:
        waiting = sum(isinstance(one, Unknown) for one in source.images.values())
        title = count(len(source.images), "image") + (f", {waiting} without a digest yet" if waiting else "")
        known = (f"{i}: {'…' if isinstance(one, Unknown) else one}" for i, one in sorted(source.images.items()))
        yield _folded(f"{source.name}-images", title, len(source.images), known)
    warnings = [problem for problem in source.problems if problem.severity is Severity.WARNING]
    if warnings:
        title = count(len(warnings), "warning")
        yield _folded(f"{source.name}-warnings", title, len(warnings), (str(each) for each in warnings))
    if source.skipped:
        title = f"{count(len(source.skipped), 'file')} left out"
        words = (f"{each.path}: {each.reason.value} {each.detail}" for each in source.skipped)
        yield _folded(f"{source.name}-skipped", title, len(source.skipped), words)


def _folded(name: str, title: str, number: int, items: Iterable[str]) -> Html:
    shown = [tag("li", tag("code", brief(item, 150))) for item in islice(items, _NOTES)]
    more = tag("li", f"and {number - _NOTES:,} more") if number > _NOTES else None
    return tag("details", tag("summary", title), tag("ul", *shown, more), id=name)


def _pair(name: str, content: Html | str) -> tuple[Html, Html]:
    return tag("dt", name), tag("dd", content)
