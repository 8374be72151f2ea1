"""What goes when its owner goes, and namespaces that go with everything in them."""

from typing import Any

import pytest

from reconciler.sandbox.client import CONFIG_MAPS, CRDS, DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS, Resource

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")


def config_map(name: str, *owners: dict[str, Any], **reference: Any) -> dict[str, Any]:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            **reference,
        }
        for owner in owners
    ]
    return {"metadata": {"namespace": "shop", "name": name, "ownerReferences": references}}


def test_deleting_a_deployment_takes_everything_below_with_it(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.delete(DEPLOYMENTS, "web")
        assert await world.get(DEPLOYMENTS, "web") is None

        async def empty() -> bool:
            return not await world.objects(REPLICA_SETS) and not await world.pods()

        await world.until(empty, within=2)

    simulate(scenario)


def test_a_dependent_goes_within_moments(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        owner = await world.create(CONFIG_MAPS, config_map("owner"))
        await world.create(CONFIG_MAPS, config_map("dependent", owner))
        await world.clock.sleep(1)
        await world.delete(CONFIG_MAPS, "owner")
        await world.gone(CONFIG_MAPS, "dependent", within=0.3)

    simulate(scenario)


def test_an_owner_that_never_was_is_absent(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        ghost = {"metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-000000000000"}}
        await world.create(CONFIG_MAPS, config_map("dependent", ghost))
        await world.gone(CONFIG_MAPS, "dependent", within=0.3)

    simulate(scenario)


def test_an_owner_of_an_unknown_kind_is_not_absent(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        body = config_map("dependent")
        reference = {"apiVersion": "nowhere.example.com/v1", "kind": "Thing", "name": "x", "uid": "x"}
        body["metadata"]["ownerReferences"] = [reference]
        await world.create(CONFIG_MAPS, body)
        await world.clock.sleep(60)
        assert await world.get(CONFIG_MAPS, "dependent") is not None

    simulate(scenario)


def test_one_owner_left_is_enough_and_the_other_is_forgotten(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        first = await world.create(CONFIG_MAPS, config_map("first"))
        second = await world.create(CONFIG_MAPS, config_map("second"))
        await world.create(CONFIG_MAPS, config_map("dependent", first, second))
        await world.delete(CONFIG_MAPS, "first")

        async def forgotten() -> bool:
            found = await world.get(CONFIG_MAPS, "dependent")
            return [entry["name"] for entry in found["metadata"]["ownerReferences"]] == ["second"]

        await world.until(forgotten, within=1)

    simulate(scenario)


def test_foreground_deletion_waits_for_dependents_that_block(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        owner = await world.create(CONFIG_MAPS, config_map("owner"))
        held = config_map("dependent", owner, blockOwnerDeletion=True)
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await world.create(CONFIG_MAPS, held)
        await world.clock.sleep(1)
        await world.delete(CONFIG_MAPS, "owner", propagation="Foreground")
        await world.clock.sleep(30)
        assert (await world.get(CONFIG_MAPS, "owner"))["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert "deletionTimestamp" in (await world.get(CONFIG_MAPS, "dependent"))["metadata"]
        await world.patch(CONFIG_MAPS, "dependent", {"metadata": {"finalizers": None}})
        await world.gone(CONFIG_MAPS, "dependent")
        await world.gone(CONFIG_MAPS, "owner", within=1)

    simulate(scenario)


def test_foreground_deletion_of_a_deployment_goes_from_the_bottom_up(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.delete(DEPLOYMENTS, "web", propagation="Foreground")
        await world.clock.sleep(0.1)
        assert len(await world.objects(REPLICA_SETS)) == 1
        await world.gone(DEPLOYMENTS, "web", within=5)
        assert await world.objects(REPLICA_SETS) == []
        assert await world.pods() == []

    simulate(scenario)


def test_orphans_are_set_free(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 1))
        await world.status(DEPLOYMENTS, "web", availableReplicas=1)
        await world.delete(DEPLOYMENTS, "web", propagation="Orphan")
        await world.gone(DEPLOYMENTS, "web", within=1)
        await world.clock.sleep(10)
        (replica_set,) = await world.objects(REPLICA_SETS)
        assert "ownerReferences" not in replica_set["metadata"]
        assert len(await world.pods()) == 1
        await world.create(DEPLOYMENTS, make.workload("web", 1))
        await world.status(DEPLOYMENTS, "web", availableReplicas=1)
        assert [entry["metadata"]["name"] for entry in await world.objects(REPLICA_SETS)] == [
            replica_set["metadata"]["name"]
        ]

    simulate(scenario)


def test_custom_resources_are_collected_too(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        spec = {
            "group": "example.com",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        }
        await world.create(CRDS, {"metadata": {"name": "widgets.example.com"}, "spec": spec})
        await world.clock.sleep(1)
        owner = await world.create(WIDGETS, {"metadata": {"namespace": "shop", "name": "w"}})
        reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": owner["metadata"]["uid"]}
        body = config_map("dependent")
        body["metadata"]["ownerReferences"] = [reference]
        await world.create(CONFIG_MAPS, body)
        await world.delete(WIDGETS, "w")
        await world.gone(CONFIG_MAPS, "dependent", within=1)

    simulate(scenario)


def test_a_namespace_is_emptied_and_then_gone(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2))
        held = config_map("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await world.create(CONFIG_MAPS, held)
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.delete(NAMESPACES, "shop")
        await world.clock.sleep(10)
        remaining = await world.condition(NAMESPACES, "shop", "NamespaceFinalizersRemaining")
        assert "example.com/hold" in remaining["message"]
        assert await world.objects(PODS) == []
        assert [entry["metadata"]["name"] for entry in await world.objects(CONFIG_MAPS)] == ["held"]
        await world.patch(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}})
        await world.gone(NAMESPACES, "shop", within=2)

    simulate(scenario)


@pytest.mark.parametrize("name", ["empty"])
def test_an_empty_namespace_goes_at_once(simulate: Any, name: str) -> None:
    async def scenario(world: Any) -> None:
        await world.create(NAMESPACES, {"metadata": {"name": name}})
        await world.clock.sleep(1)
        await world.delete(NAMESPACES, name)
        await world.gone(NAMESPACES, name, within=1)

    simulate(scenario)
