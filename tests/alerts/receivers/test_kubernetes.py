"""Events of Kubernetes, in the sandbox and on a real API server."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from alert_events import config_map, drifted, event, healed
from alert_messages import Teller
from both_servers import on_both
from texts import config
from virtual import virtual
from world import World

from reconciler.alerts.message import Composer, Message
from reconciler.alerts.receivers.kubernetes import EACH, KubernetesEvents
from reconciler.daemon.alerting import ClusterEvents
from reconciler.errors import AlreadyExists, Forbidden, NotFound, Refused, ServerFault, TransportError, Undelivered
from reconciler.kube.names import Identity
from reconciler.model.event import EventType


def receiver(world: World) -> KubernetesEvents:
    return KubernetesEvents(ClusterEvents(world.cluster, world.states), Composer(), instance="reconciler-0")


async def events(world: World, namespace: str) -> list[dict[str, Any]]:
    found = await world.call("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    return [each for each in found["items"] if each.get("reportingController") == "reconciler.dev/reconciler"]


@on_both
async def test_an_event_lies_beside_its_object(world: World) -> None:
    await world.started({"a.yaml": config("a")})
    object_ = Identity("", "ConfigMap", world.space, "a")
    live = await world.get("ConfigMap", "a")
    assert live is not None
    teller, to = Teller(), receiver(world)
    await to.deliver(teller.say(drifted(identity=object_)))
    (found,) = await events(world, world.space)
    assert found["regarding"] == {
        "kind": "ConfigMap",
        "namespace": world.space,
        "name": "a",
        "apiVersion": "v1",
        "uid": live["metadata"]["uid"],
    }
    assert (found["type"], found["reason"], found["reportingInstance"]) == ("Warning", "Drift", "reconciler-0")
    assert found["note"].startswith(f"shop: ConfigMap/{world.space}/a drifted\nspec.replicas: 3 → 5\n")

    await to.deliver(teller.say(replace(healed(60), identity=object_)))
    reasons = {each["reason"]: each["type"] for each in await events(world, world.space)}
    assert reasons == {"Drift": "Warning", "DriftEnded": "Normal"}


@on_both
async def test_one_that_is_posted_twice_is_there_once(world: World) -> None:
    await world.started({"a.yaml": config("a")})
    message = Teller().say(drifted(identity=Identity("", "ConfigMap", world.space, "a")))
    await receiver(world).deliver(message)
    await receiver(world).deliver(message)
    assert len(await events(world, world.space)) == 1


@on_both
async def test_objects_of_the_cluster_odd_names_and_no_object_at_all(world: World) -> None:
    await world.started({"a.yaml": config("a")})
    source = world.name("shop")
    about = [
        replace(event(EventType.HELD, identity=Identity("", "Namespace", "", world.space)), source=source),
        event(EventType.FAILED, identity=Identity("rbac.authorization.k8s.io", "ClusterRole", "", f"X:{world.space}.")),
        replace(event(EventType.SYNC_FAILED), source=source),
        replace(event(EventType.NOT_READY), source="", message="ä" * 490),
    ]
    for each in about:
        await receiver(world).deliver(Teller().say(each))
    found = await events(world, "default") + (await events(world, world.states) if world.states != "default" else [])
    names = {each["regarding"]["name"] for each in found}
    assert names >= {world.space, f"X:{world.space}.", f"reconciler-state-{source}", "reconciler-install"}
    assert all(len(each["note"].encode()) <= 1024 for each in found)


@on_both
async def test_a_thousand_are_a_few_events(world: World) -> None:
    await world.started({"a.yaml": config("a")})
    said = [drifted(0, Identity("", "ConfigMap", world.space, f"c{n}")) for n in range(1000)]
    await receiver(world).deliver(Teller().say(*said))
    own = await events(world, world.space)
    assert len(own) == EACH - 1
    shared = [each for each in await events(world, world.states) if "objects drifted" in each["note"]]
    assert any(each["note"].startswith("shop: 981 objects drifted\n") for each in shared)


@on_both
async def test_an_object_whose_namespace_is_gone_holds_up_nobody(world: World) -> None:
    await world.started({"a.yaml": config("a")})
    gone = Identity("", "ConfigMap", "nowhere", "a")
    here = Identity("", "ConfigMap", world.space, "a")
    await receiver(world).deliver(Teller().say(drifted(identity=gone), drifted(identity=here)))
    assert len(await events(world, world.space)) == 1


class Failing:
    """A poster whose calls end as ordered."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.posted: list[Mapping[str, Any]] = []

    def reference(self, identity: Identity) -> Mapping[str, str]:
        return {}

    def about(self, source: str) -> Identity:
        return Identity("", "ConfigMap", "default", f"reconciler-state-{source}")

    async def post(self, namespace: str, event: Mapping[str, Any]) -> None:
        if (error := self.errors.pop(0) if self.errors else None) is not None:
            raise error
        self.posted.append(event)


def two() -> Message:
    return Teller().say(drifted(identity=config_map(1)), drifted(identity=config_map(2)))


FORBIDDEN = Forbidden("no", status=403)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TransportError("no usable answer"), Undelivered),
        (ServerFault("oh", status=503), Undelivered),
        (FORBIDDEN, None),
        (AlreadyExists("there", status=409), None),
        (NotFound("gone", status=404), None),
    ],
)
@virtual
async def test_what_a_failure_means(error: Exception, outcome: type[Exception] | None) -> None:
    poster = Failing(error)
    to = KubernetesEvents(poster, Composer(), instance="x")
    if outcome is None:
        await to.deliver(two())
        assert len(poster.posted) == 1, "the other one"
    else:
        with pytest.raises(outcome):
            await to.deliver(two())


@virtual
async def test_what_is_refused_for_every_object_is_refused() -> None:
    with pytest.raises(Refused):
        await KubernetesEvents(Failing(FORBIDDEN, FORBIDDEN), Composer(), instance="x").deliver(two())
