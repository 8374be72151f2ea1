"""The page of one object."""

from typing import Final

import yaml

from reconciler.daemon.page.drift import card
from reconciler.daemon.page.history import event_list
from reconciler.daemon.page.layout import page, section
from reconciler.daemon.page.markup import Html, join, tag
from reconciler.daemon.page.parts import address, brief, cells, chip, count, health, hint, named, spaced, table, when
from reconciler.daemon.page.planner import planned_section
from reconciler.daemon.page.status import Detail, Overall
from reconciler.model.change import HELD

_TEXT: Final = 20_000  # characters of what Git states
_EVENTS: Final = 30
_NEEDS: Final = 30
_ENDED: Final = 5
_WRONG: Final = 5
_ROWS: Final = 30


def detail_page(detail: Detail, overall: Overall, *, way_out: bool = False) -> str:
    identity = detail.row.identity
    return page(
        str(identity),
        address(identity),
        overall,
        section("summary", "How it stands", *_trouble(detail), _facts(detail)),
        planned_section(overall, identity),
        section("drift", "Drift", card(detail.drift, overall.now, alone=True)) if detail.drift else None,
        _ended(detail, overall),
        section("events", "Events since the daemon started", event_list(detail.events[:_EVENTS], overall.now)),
        _conditions(detail),
        _managers(detail, overall),
        _stated(detail),
        way_out=way_out,
    )


def _trouble(detail: Detail) -> list[Html]:
    found = []
    if held := detail.held:
        found.append(tag("p", chip("held", "wait"), f" {brief(held.reason.removeprefix(HELD))}"))
        found += [words for words in (hint(held.hint),) if words]
    for event in detail.wrong[:_WRONG]:
        found.append(tag("p", chip(event.type.value, "bad"), f" {brief(event.message, 2000)}"))
        found += [words for words in (hint(event.hint),) if words]
    return found


def _facts(detail: Detail) -> Html:
    row = detail.row
    facts: list[tuple[str, Html | str]] = [("Health", health(row.health)), ("Source", row.source)]
    if row.origin is not None:
        facts.append(("Stated in", tag("code", str(row.origin))))
        if row.origin.overlays:
            facts.append(("Overlaid by", tag("code", brief(", ".join(row.origin.overlays)))))
    else:
        facts.append(("Stated in", "Git does not state it any more"))
    if detail.spec and detail.spec != str(row.identity):
        facts.append(("Made by", detail.spec))
    if detail.needs:
        shown = [named(each) for each in detail.needs[:_NEEDS]]
        more = f" and {len(detail.needs) - _NEEDS} more" if len(detail.needs) > _NEEDS else None
        facts.append(("Needs", join(*spaced(shown), more)))
    if row.identity.group:
        facts.append(("API group", row.identity.group))
    if detail.created:
        facts.append(("Created", detail.created))
    if detail.uid:
        facts.append(("UID", tag("code", detail.uid)))
    return tag("dl", *(part for name, value in facts for part in (tag("dt", name), tag("dd", value))))


def _ended(detail: Detail, overall: Overall) -> Html | None:
    if not detail.ended:
        return None
    shown = (card(drift, overall.now) for drift in detail.ended[:_ENDED])
    return section("ended", "Drift that ended lately", *shown)


def _conditions(detail: Detail) -> Html | None:
    if not detail.conditions:
        return None
    rows = [
        cells(("Condition", each.type), ("Status", each.status), ("Why", brief(each.text)))
        for each in detail.conditions[:_ROWS]
    ]
    return section("conditions", "Conditions", table("conditions", ("Condition", "Status", "Why"), rows))


def _managers(detail: Detail, overall: Overall) -> Html | None:
    if not detail.managers:
        return None
    rows = []
    for author, fields in detail.managers[:_ROWS]:
        how = f"{author.operation} of {author.subresource}" if author.subresource else author.operation
        last = when(author.time, overall.now) if author.time else ""
        own = count(fields, "field")
        rows.append(cells(("Manager", author.manager), ("How", how), ("Fields", own), ("Last", last)))
    return section("managers", "Who set its fields", table("managers", ("Manager", "How", "Fields", "Last"), rows))


def _stated(detail: Detail) -> Html | None:
    if detail.stated is None:
        return None
    words = str(yaml.safe_dump(_plain(detail.stated), allow_unicode=True, sort_keys=False, width=100))
    if len(words) > _TEXT:
        words = f"{words[:_TEXT]}\n… and {len(words) - _TEXT:,} more characters"
    inside = tag("pre", words, tabindex="0", aria_label="what Git states, as YAML")
    return section("stated", "What Git states", tag("details", tag("summary", "Show as YAML"), inside, id="yaml"))


def _plain(value: object) -> object:
    """As YAML can write it: a manifest may hold tuples and mappings of any kind."""
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return value
