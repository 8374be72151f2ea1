"""Deployments on a simulated cluster."""

from typing import Any

from reconciler.sandbox.client import DEPLOYMENTS, EVENTS, REPLICA_SETS


def test_a_deployment_becomes_available(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 3))
        stored = await world.status(
            DEPLOYMENTS, "web", within=5, readyReplicas=3, availableReplicas=3, updatedReplicas=3
        )
        assert stored["status"]["observedGeneration"] == stored["metadata"]["generation"]
        assert (await world.condition(DEPLOYMENTS, "web", "Available"))["reason"] == "MinimumReplicasAvailable"
        assert (await world.condition(DEPLOYMENTS, "web", "Progressing"))["reason"] == "NewReplicaSetAvailable"
        assert stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
        (replica_set,) = await world.objects(REPLICA_SETS)
        digest = replica_set["metadata"]["labels"]["pod-template-hash"]
        assert replica_set["metadata"]["name"] == f"web-{digest}"
        (owner,) = replica_set["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("Deployment", True, True)
        pods = await world.pods(app="web")
        assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {digest}
        assert len({pod["spec"]["nodeName"] for pod in pods}) == 3
        assert len({pod["status"]["podIP"] for pod in pods}) == 3

    simulate(scenario)


def test_status_is_written_by_the_controller_manager(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web"))
        stored = await world.status(DEPLOYMENTS, "web", availableReplicas=1)
        managers = {(entry["manager"], entry.get("subresource", "")) for entry in stored["metadata"]["managedFields"]}
        assert ("kube-controller-manager", "status") in managers
        (pod,) = await world.pods()
        managers = {(entry["manager"], entry.get("subresource", "")) for entry in pod["metadata"]["managedFields"]}
        assert {("kube-controller-manager", ""), ("kubelet", "status")} <= managers

    simulate(scenario)


def test_a_rolling_update_keeps_to_its_limits(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        rolling = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
        probe = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}}}
        await world.create(DEPLOYMENTS, make.workload("web", 3, spec=rolling, container=probe))
        await world.status(DEPLOYMENTS, "web", availableReplicas=3)
        await world.patch(
            DEPLOYMENTS, "web", {"spec": {"template": make.template("web", image="web:2", container=probe)}}
        )
        fewest, most = 3, 3

        async def done() -> bool:
            nonlocal fewest, most
            pods = [pod for pod in await world.pods(app="web") if "deletionTimestamp" not in pod["metadata"]]
            ready = [pod for pod in pods if _is_ready(pod)]
            fewest, most = min(fewest, len(ready)), max(most, len(pods))
            return (
                len(pods) == 3
                and all(pod["spec"]["containers"][0]["image"] == "web:2" for pod in ready)
                and len(ready) == 3
            )

        await world.until(done)
        assert (fewest, most) == (3, 4)
        stored = await world.status(DEPLOYMENTS, "web", updatedReplicas=3, availableReplicas=3, unavailableReplicas=0)
        assert stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
        sets = await world.objects(REPLICA_SETS)
        assert sorted(entry["spec"]["replicas"] for entry in sets) == [0, 3]

    simulate(scenario)


def test_a_bad_image_stalls_and_misses_the_deadline(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        spec = {"progressDeadlineSeconds": 30}
        await world.create(DEPLOYMENTS, make.workload("web", 4, spec=spec))
        await world.status(DEPLOYMENTS, "web", availableReplicas=4)
        await world.patch(DEPLOYMENTS, "web", {"spec": {"template": make.template("web", image="web:broken")}})
        failed = await world.condition(DEPLOYMENTS, "web", "Progressing", "False", within=60)
        assert failed["reason"] == "ProgressDeadlineExceeded"
        stored = await world.get(DEPLOYMENTS, "web")
        assert stored["status"]["availableReplicas"] == 3
        assert (await world.condition(DEPLOYMENTS, "web", "Available"))["status"] == "True"
        await world.patch(DEPLOYMENTS, "web", {"spec": {"template": make.template("web", image="web:1")}})
        await world.status(DEPLOYMENTS, "web", availableReplicas=4, updatedReplicas=4, replicas=4)
        assert (await world.condition(DEPLOYMENTS, "web", "Progressing"))["reason"] == "NewReplicaSetAvailable"
        revision = (await world.get(DEPLOYMENTS, "web"))["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        assert revision == "3"
        assert len(await world.objects(REPLICA_SETS)) == 2

    simulate(scenario)


def test_recreate_never_runs_old_and_new_together(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2, spec={"strategy": {"type": "Recreate"}}))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.patch(DEPLOYMENTS, "web", {"spec": {"template": make.template("web", image="web:2")}})

        async def done() -> bool:
            images = {pod["spec"]["containers"][0]["image"] for pod in await world.pods(app="web")}
            assert len(images) <= 1
            return images == {"web:2"}

        await world.until(done)
        await world.status(DEPLOYMENTS, "web", availableReplicas=2, updatedReplicas=2)

    simulate(scenario)


def test_scaling_needs_no_new_replica_set(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}})
        await world.status(DEPLOYMENTS, "web", availableReplicas=5)
        await world.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}})
        await world.status(DEPLOYMENTS, "web", replicas=0, availableReplicas=0)
        assert len(await world.objects(REPLICA_SETS)) == 1

        async def no_pods() -> bool:
            return not await world.pods()

        await world.until(no_pods)

    simulate(scenario)


def test_a_paused_deployment_does_not_roll_out(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        change = {"spec": {"paused": True, "template": make.template("web", image="web:2")}}
        await world.patch(DEPLOYMENTS, "web", change)
        paused = await world.condition(DEPLOYMENTS, "web", "Progressing", "Unknown")
        assert paused["reason"] == "DeploymentPaused"
        await world.clock.sleep(60)
        assert len(await world.objects(REPLICA_SETS)) == 1
        await world.patch(DEPLOYMENTS, "web", {"spec": {"paused": False}})
        await world.status(DEPLOYMENTS, "web", updatedReplicas=2, availableReplicas=2, replicas=2)
        assert len(await world.objects(REPLICA_SETS)) == 2

    simulate(scenario)


def test_history_is_kept_as_long_as_the_limit_says(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 1, spec={"revisionHistoryLimit": 1}))
        for number in range(1, 5):
            await world.patch(DEPLOYMENTS, "web", {"spec": {"template": make.template("web", image=f"web:{number}")}})
            await world.clock.sleep(10)
        await world.status(DEPLOYMENTS, "web", updatedReplicas=1, availableReplicas=1, replicas=1)
        images = {
            entry["spec"]["template"]["spec"]["containers"][0]["image"] for entry in await world.objects(REPLICA_SETS)
        }
        assert images == {"web:3", "web:4"}

    simulate(scenario)


def test_a_deleted_pod_is_replaced_and_an_orphan_adopted(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        from reconciler.sandbox.client import PODS

        await world.create(DEPLOYMENTS, make.workload("web", 2))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        first, second = await world.pods()
        await world.delete(PODS, first["metadata"]["name"])
        await world.gone(PODS, first["metadata"]["name"])
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        await world.patch(PODS, second["metadata"]["name"], {"metadata": {"ownerReferences": None}})

        async def adopted() -> bool:
            return bool((await world.get(PODS, second["metadata"]["name"]))["metadata"].get("ownerReferences"))

        await world.until(adopted)
        assert len(await world.pods()) == 2

    simulate(scenario)


def test_what_happened_is_told_in_events(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 1))
        await world.status(DEPLOYMENTS, "web", availableReplicas=1)
        await world.clock.sleep(1)
        reasons = {event["reason"] for event in await world.objects(EVENTS)}
        assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Started"} <= reasons

    simulate(scenario)


def _is_ready(pod: Any) -> bool:
    return any(
        entry["type"] == "Ready" and entry["status"] == "True" for entry in pod["status"].get("conditions") or ()
    )
