"""What a schema cannot say about the alerts of a configuration: names that exist, templates that can be filled in."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.model.alerting import PLACEHOLDERS_INCIDENT, PLACEHOLDERS_TITLE
from reconciler.model.template import fault
from reconciler.specs.finding import Finding, did_you_mean, shown

JSON = Any

_TEMPLATES: Final = {
    "title": PLACEHOLDERS_TITLE,
    "incident": PLACEHOLDERS_INCIDENT,
    "line": PLACEHOLDERS_INCIDENT,
}
_GLOB: Final = frozenset("*?[")


def beyond(alerts: Mapping[str, JSON], sources: Iterable[str]) -> Iterator[Finding]:
    """Everything that is wrong with `alerts`, which its schema accepts. `sources` are the names of those configured."""
    names: dict[str, int] = {}
    for at, receiver in enumerate(alerts.get("receivers", ())):
        path = ("alerts", "receivers", at)
        first = names.setdefault(receiver["name"], at)
        if first != at:
            message = f"{shown(receiver['name'])} is the name of alerts.receivers[{first}] already"
            yield Finding("described-twice", (*path, "name"), message, "names of receivers are unique")
        for field, text in receiver.get("message", {}).items():
            if wrong := fault(text, _TEMPLATES[field]):
                yield Finding("bad-value", (*path, "message", field), *wrong)
    for at, route in enumerate(alerts.get("routes", ())):
        path = ("alerts", "routes", at)
        for each, name in enumerate(route["receivers"]):
            if name not in names:
                yield _unknown((*path, "receivers", each), "receiver", name, names)
        known = set(sources)
        for each, name in enumerate(route.get("sources", ())):
            if name not in known and not _GLOB & set(name):
                yield _unknown((*path, "sources", each), "source", name, known)


def _unknown(path: tuple[str | int, ...], what: str, name: str, known: Iterable[str]) -> Finding:
    every = sorted(known)
    hint = did_you_mean(name, every) or (f"known here: {', '.join(every)}" if every else "")
    return Finding("bad-value", path, f"there is no {what} {shown(name)}", hint)
