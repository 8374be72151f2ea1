"""Every object with its health: all of them in groups, or those that somebody looks for."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, tag
from reconciler.daemon.page.paging import Slice, links
from reconciler.daemon.page.parts import count, counts, query, rows_of, table
from reconciler.daemon.page.status import Overall, Row
from reconciler.model.health import Status

PER_PAGE: Final = 100
_INLINE: Final = 200  # objects of the overview that are in their groups already
_GROUPS: Final = 18  # namespaces on the overview
_KINDS: Final = 8  # of one namespace there
_NO_NAMESPACE: Final = "-"


@dataclass(frozen=True, slots=True)
class Filter:
    """What somebody looks for; "" is anything. Each word of `words` is in the object's name as people write it."""

    words: str = ""
    source: str = ""
    health: str = ""
    namespace: str = ""  # "-" is none
    kind: str = ""  # "Deployment.apps", or "Deployment" of any group

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> "Filter":
        """From the query of an address."""
        names = ("q", "source", "health", "namespace", "kind")
        return cls(*(asked.get(name, "").strip()[:200] for name in names))

    def queries(self) -> dict[str, str]:
        """As the query of an address."""
        return {
            "q": self.words,
            "source": self.source,
            "health": self.health,
            "namespace": self.namespace,
            "kind": self.kind,
        }

    def choose(self, rows: Iterable[Row]) -> list[Row]:
        words = self.words.lower().split()
        namespace = "" if self.namespace == _NO_NAMESPACE else self.namespace
        return [
            row
            for row in rows
            if (not self.source or row.source == self.source)
            and (not self.health or row.health.status == self.health)
            and (not self.namespace or row.identity.namespace == namespace)
            and (not self.kind or self.kind in (row.identity.kind, str(row.identity.group_kind)))
            and (not words or _holds(row, words))
        ]


def _holds(row: Row, words: list[str]) -> bool:
    name = str(row.identity).lower()
    return all(word in name for word in words)


def objects_page(overall: Overall, wanted: Filter, number: int, *, way_out: bool = False) -> str:
    """What `wanted` finds, `PER_PAGE` at a time, the worst first."""
    found = wanted.choose(overall.rows)
    part = Slice.of(found, number, PER_PAGE)
    title = count(len(found), "object")
    if len(found) != len(overall.rows):
        title += f" of {len(overall.rows):,}"
    listed = _table(part.items, overall) if part.items else tag("p", "No object is like this.")
    way = links(part, "/objects", **wanted.queries())
    shown = section("found", title, counts(Counter(row.health.status for row in found)), listed, way)
    return page("Objects", "/objects", overall, search(overall, wanted), shown, way_out=way_out)


def search(overall: Overall, wanted: Filter) -> Html:
    """The form that looks for objects. It works by its address, so what was found can be passed on."""
    kinds = sorted({str(row.identity.group_kind) for row in overall.rows})
    sources = [source.name for source in overall.sources]
    keep = tag("input", type="hidden", name="namespace", value=wanted.namespace) if wanted.namespace else None
    clear = any(wanted.queries().values())
    where = "objects without a namespace" if wanted.namespace == _NO_NAMESPACE else f"namespace {wanted.namespace}"
    words = tag(
        "label",
        tag("span", "Name"),
        tag("input", type="search", name="q", id="q", value=wanted.words, placeholder="web shop", maxlength=200),
    )
    form = tag(
        "form",
        words,
        _choice("kind", "Kind", kinds, wanted.kind),
        _choice("health", "Health", [status.value for status in reversed(Status)], wanted.health),
        _choice("source", "Source", sources, wanted.source) if len(sources) > 1 else None,
        keep,
        tag("button", "Search"),
        tag("p", f"Only {where}") if wanted.namespace else None,
        tag("p", tag("a", "Show all objects", href="/objects")) if clear else None,
        method="get",
        action="/objects",
        role="search",
        class_="search",
    )
    return tag("div", form, id="search", data_keep=True)


def _choice(name: str, label: str, values: Iterable[str], chosen: str) -> Html:
    options = [tag("option", "any", value="")]
    options += [tag("option", value, value=value, selected=value == chosen) for value in values]
    return tag("label", tag("span", label), tag("select", *options, name=name, id=name))


def groups(overall: Overall) -> Html:
    """The objects of the overview: by namespace and kind, folded; the namespace with the worst object first."""
    by_namespace: dict[str, list[Row]] = {}
    for row in overall.rows:  # in the order of concern, so the groups are too
        by_namespace.setdefault(row.identity.namespace, []).append(row)
    inline = len(overall.rows) <= _INLINE
    shown = list(by_namespace.items())[:_GROUPS]
    more = len(by_namespace) - len(shown)
    return section(
        "objects",
        count(len(overall.rows), "object"),
        search(overall, Filter()),
        *(_group(namespace, rows, overall, inline=inline) for namespace, rows in shown),
        tag("p", tag("a", f"and {count(more, 'more namespace')}", href="/objects")) if more else None,
        tag("p", "There is nothing yet.") if not overall.rows else None,
    )


def _group(namespace: str, rows: list[Row], overall: Overall, *, inline: bool) -> Html:
    where = namespace or _NO_NAMESPACE
    title = namespace or "without a namespace"
    caption = f"objects in {namespace}" if namespace else "objects without a namespace"
    summary = tag(
        "summary", tag("b", title), " ", count(len(rows), "object"), " ", counts(Counter(r.health.status for r in rows))
    )
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(str(row.identity.group_kind), []).append(row)
    inside = _table(tuple(rows), overall, name=caption) if inline else _kinds(where, kinds)
    return tag("details", summary, inside, id=f"namespace-{where}", class_="group")


def _kinds(where: str, kinds: Mapping[str, list[Row]]) -> Html:
    """Which kinds a namespace has, each a link to its objects."""
    items = []
    for kind, rows in list(kinds.items())[:_KINDS]:
        href = query("/objects", namespace=where, kind=kind)
        numbers = counts(Counter(row.health.status for row in rows))
        items.append(tag("li", tag("a", kind, href=href), " ", str(len(rows)), " ", numbers))
    if more := len(kinds) - len(items):
        items.append(tag("li", tag("a", f"and {count(more, 'more kind')}", href=query("/objects", namespace=where))))
    return tag("ul", *items, class_="kinds")


def _table(rows: tuple[Row, ...], overall: Overall, *, name: str = "objects") -> Html:
    several = len(overall.sources) > 1
    heads = ("Object", "Health", *(("Source",) if several else ()))
    return table(name, heads, rows_of(rows, sources=several))
