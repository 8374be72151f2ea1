"""Which receivers an incident goes to."""

from dataclasses import replace

import pytest
from alert_events import WEB, event

from reconciler.alerts.incident import Incident
from reconciler.alerts.incidents import Incidents
from reconciler.alerts.routing import receivers_of
from reconciler.kube.names import Identity
from reconciler.model.alerting import Route, Urgency
from reconciler.model.event import EventType, Topic

EVERY = ("team", "bus")


def incident(kind: EventType = EventType.HELD, **more: object) -> Incident:
    ((_, made),) = Incidents("test").take(replace(event(kind, identity=WEB), **more))  # type: ignore[arg-type]
    return made


def test_without_routes_everybody_is_told() -> None:
    assert receivers_of(incident(), (), EVERY) == EVERY


def test_nobody_is_told_what_no_route_matches() -> None:
    assert receivers_of(incident(), (Route(("team",), sources=("blog",)),), EVERY) == ()


@pytest.mark.parametrize(
    ("route", "matches"),
    [
        (Route(("team",)), True),
        (Route(("team",), sources=("shop",)), True),
        (Route(("team",), sources=("sh*", "x")), True),
        (Route(("team",), sources=("SHOP",)), False),
        (Route(("team",), topics=(Topic.HELD, Topic.DRIFT)), True),
        (Route(("team",), topics=(Topic.DRIFT,)), False),
        (Route(("team",), severity=Urgency.WARNING), True),
        (Route(("team",), severity=Urgency.CRITICAL), False),
        (Route(("team",), objects=("Deployment/shop/*",)), True),
        (Route(("team",), objects=("*/shop/web",)), True),
        (Route(("team",), objects=("Deployment/web",)), False),
        (Route(("team",), sources=("shop",), objects=("ConfigMap/*",)), False),
    ],
)
def test_what_a_route_matches(route: Route, *, matches: bool) -> None:
    assert receivers_of(incident(), (route,), EVERY) == (("team",) if matches else ())


def test_objects_of_the_whole_cluster_and_things_without_an_object() -> None:
    route = (Route(("team",), objects=("Namespace/*",)),)
    assert receivers_of(incident(identity=Identity("", "Namespace", "", "shop")), route, EVERY) == ("team",)
    assert receivers_of(incident(EventType.SYNC_FAILED, identity=None), route, EVERY) == ()


def test_the_first_that_matches_decides_unless_it_says_go_on() -> None:
    routes = (
        Route(("bus",), continue_=True),
        Route((), objects=("Deployment/shop/*",)),
        Route(("team",)),
    )
    assert receivers_of(incident(), routes, EVERY) == ("bus",)
    assert receivers_of(incident(identity=Identity("", "Service", "shop", "web")), routes, EVERY) == ("bus", "team")
    again = (Route(("team",), continue_=True), Route(("team", "bus")))
    assert receivers_of(incident(), again, EVERY) == ("team", "bus")
