"""The frame around every page."""

from datetime import UTC, datetime
from typing import Final

from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.parts import count
from reconciler.daemon.page.status import Overall

_PAGES: Final = (
    ("/", "Overview"),
    ("/sources", "Sources"),
    ("/objects", "Objects"),
    ("/drift", "Drift"),
    ("/history", "History"),
)
_SEVERAL: Final = {"replica without a place": "replicas without a place"}
_PLANNER: Final = ("/planner", "Planner")


def section(name: str, title: str, *children: Html | str | None) -> Html:
    """A part of a page that is exchanged as a whole when it changes. `name` is its id."""
    heading = tag("h2", title, id=f"{name}-title")
    return tag("section", heading, *children, id=name, aria_labelledby=f"{name}-title", data_live=True)


def page(title: str, path: str, overall: Overall, *sections: Html | None, way_out: bool = False) -> str:
    """A whole document. `path` is the page's address; `way_out` shows a button that logs out."""
    links = [
        tag("a", name, _number(href, overall), href=href, aria_current="page" if href == path else None)
        for href, name in (*_PAGES, *((_PLANNER,) if overall.planner is not None else ()))
    ]
    where = tag("span", overall.install, class_="install") if overall.install else None
    header = tag(
        "header",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag("p", tag("a", "reconciler", href="/"), " ", where, class_="brand"),
        tag("nav", *links, id="nav", aria_label="Pages", data_live=True),
    )
    leave = tag("form", tag("button", "Log out"), method="post", action="/logout") if way_out else None
    footer = tag(
        "footer",
        tag("p", _as_of(overall.now), " · ", tag("a", "Reload", href="", class_="reload")),
        leave,
        tag("p", f"reconciler {overall.version} · ", tag("a", "JSON", href="/api/status")),
    )
    main = tag("main", tag("h1", title), *sections, id="content", tabindex="-1")
    told = tag("p", id="told", role="status", class_="quiet")
    return _document(title, join(header, told, main, footer), live=True)


def bare(title: str, *children: Html | None) -> str:
    """A document for somebody who may not see more."""
    header = tag("header", tag("p", "reconciler", class_="brand"))
    return _document(title, join(header, tag("main", tag("h1", title), *children, id="content")), live=False)


def _document(title: str, body: Html, *, live: bool) -> str:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", f"{title} · reconciler" if title != "reconciler" else title),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="robots", content="noindex"),
        tag("link", rel="icon", href="/static/icon.svg"),
        tag("link", rel="stylesheet", href="/static/page.css"),
        tag("script", src="/static/page.js", defer=True) if live else None,
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"


def _number(href: str, overall: Overall) -> Html | None:
    """How much there is to look at behind a link."""
    number, noun = 0, ""
    if href == "/drift":
        number, noun = len(overall.drifts), "drifted object"
    elif href == "/planner" and overall.planner is not None and overall.planner.newest is not None:
        number, noun = overall.planner.newest.plan.unplaced, "replica without a place"
    if not number:
        return None
    return join(" ", tag("span", str(number), class_="number", title=count(number, noun, _SEVERAL.get(noun, ""))))


def _as_of(now: datetime) -> Html:
    exact = now.astimezone(UTC)
    shown = tag("time", f"{exact:%H:%M:%S} UTC", datetime=f"{exact:%Y-%m-%dT%H:%M:%SZ}", data_exact=True)
    return tag("span", "As of ", shown, id="as-of", data_live=True)
