"""Which receivers an incident goes to."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from reconciler.alerts.incident import Incident
from reconciler.model.alerting import Route, Urgency

_ORDER: Final = {urgency: at for at, urgency in enumerate(Urgency)}


def receivers_of(incident: Incident, routes: Sequence[Route], every: Sequence[str]) -> tuple[str, ...]:
    """Names, each once. Without routes `every` receiver; else those of the first route that matches, and of later ones
    while the one before says to go on."""
    if not routes:
        return tuple(every)
    found: dict[str, None] = {}
    for route in routes:
        if _matches(incident, route):
            found.update(dict.fromkeys(route.receivers))
            if not route.continue_:
                break
    return tuple(found)


def _matches(incident: Incident, route: Route) -> bool:
    key = incident.key
    if _ORDER[incident.urgency] < _ORDER[route.severity]:
        return False
    if route.topics and key.topic not in route.topics:
        return False
    if route.sources and not any(fnmatchcase(key.source, glob) for glob in route.sources):
        return False
    return not route.objects or (
        key.identity is not None and any(fnmatchcase(str(key.identity), glob) for glob in route.objects)
    )
