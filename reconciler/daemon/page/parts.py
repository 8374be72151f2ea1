"""The small parts that every page is made of."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.status import Row
from reconciler.kube.names import Identity
from reconciler.model.health import Health, Status
from reconciler.model.snapshot import Revision
from reconciler.plural import plural

# Never by colour alone: a mark, a word, and a colour.
MARKS: Final[Mapping[Status, str]] = {
    Status.HEALTHY: "●",
    Status.SUSPENDED: "❚",
    Status.PROGRESSING: "◐",
    Status.UNKNOWN: "?",
    Status.MISSING: "○",
    Status.DEGRADED: "▲",
}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_TOP: Final = "-"  # in an address, the namespace of an object without one


def address(identity: Identity) -> str:
    """Where the page of an object is."""
    parts = (str(identity.group_kind), identity.namespace or _TOP, identity.name)
    return "/objects/" + "/".join(quote(part, safe="") for part in parts)


def query(path: str, **words: str | int | None) -> str:
    """An address with a query, of those that say something."""
    said = urlencode({word: value for word, value in words.items() if value})
    return f"{path}?{said}" if said else path


def count(number: int, noun: str, several: str = "") -> str:
    """ "1 object", "2,000 objects"."""
    return f"{number:,} {plural(number, noun, several)}"


def brief(words: str, most: int = 500) -> str:
    """`words`, cut where they are longer than a page has room for."""
    return words if len(words) <= most else f"{words[:most]}…"


def ago(time: datetime, now: datetime) -> str:
    """How long before `now`, in one unit; "in 5 min" for what is to come."""
    seconds = (now - time).total_seconds()
    size = abs(seconds)
    words = next((f"{int(size // unit)} {name}" for unit, name in _UNITS if size >= unit), f"{int(size)} s")
    return f"in {words}" if seconds < 0 else f"{words} ago"


def when(time: datetime, now: datetime) -> Html:
    """A time as people say it; the exact one is in its title and for machines."""
    exact = time.astimezone(UTC)
    return tag("time", ago(time, now), datetime=f"{exact:%Y-%m-%dT%H:%M:%SZ}", title=f"{exact:%Y-%m-%d %H:%M:%S} UTC")


def badge(status: Status) -> Html:
    mark = tag("span", MARKS[status], aria_hidden="true")
    return tag("span", mark, " ", status.value, class_=f"badge {status.value}")


def health(found: Health) -> Html:
    said = tag("span", brief(found.message, 200), class_="said") if found.message else None
    return join(badge(found.status), " ", said)


def chip(words: str, kind: str = "") -> Html:
    return tag("span", words, class_=f"chip {kind}".strip())


def counts(numbers: Mapping[Status, int], link: str = "") -> Html:
    """How many objects are in which state, the worst first; each a link to them where `link` is an address."""
    found: list[Html] = []
    for status in reversed(Status):
        if number := numbers.get(status, 0):
            words = join(tag("span", MARKS[status], aria_hidden="true"), f" {number:,} {status.value}")
            style = f"badge {status.value}"
            joint = "&" if "?" in link else "?"
            href = f"{link}{joint}health={status.value}"
            found.append(tag("a", words, href=href, class_=style) if link else tag("span", words, class_=style))
    return tag("span", *spaced(found), class_="counts")


def spaced(items: Iterable[Html]) -> Iterable[Html]:
    """With a space between each two, so that lines can break there."""
    for number, item in enumerate(items):
        if number:
            yield Html(" ")
        yield item


def named(identity: Identity) -> Html:
    """The name of an object, as a link to its page."""
    return tag("a", str(identity), href=address(identity), class_="object")


def author(revision: Revision) -> str:
    """Who wrote a commit, without the address."""
    return brief(revision.author.partition(" <")[0] or revision.author, 100)


def commit(revision: Revision, now: datetime) -> Html:
    """A commit in one line: what, who and when."""
    if not revision.commit:
        return tag("span", "a folder")
    return join(
        tag("code", revision.short, title=revision.commit),
        " ",
        tag("q", brief(revision.subject, 200)) if revision.subject else None,
        f" by {author(revision)}, ",
        when(revision.time, now),
    )


def hint(words: str) -> Html | None:
    return tag("p", "Hint: ", brief(words), class_="hint") if words else None


def table(caption: str, heads: Iterable[str], rows: Iterable[Html]) -> Html:
    """`rows` are made by `cells` with the same heads."""
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads))),
        tag("tbody", *rows),
    )


def cells(*pairs: tuple[str, Html | str | None]) -> Html:
    """A row: (head, content) of each column. On a narrow screen the head stands before the content."""
    return tag("tr", *(tag("td", content, data_head=head) for head, content in pairs))


def rows_of(rows: Iterable[Row], *, sources: bool) -> Iterable[Html]:
    """Objects as rows of a table; with the source where there are several."""
    for row in rows:
        link = join(named(row.identity), None if row.origin else join(" ", chip("not in Git")))
        source = [("Source", row.source)] if sources else []
        yield cells(("Object", link), ("Health", health(row.health)), *source)
