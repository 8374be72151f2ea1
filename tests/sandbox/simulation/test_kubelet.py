"""Pods on simulated nodes: starting, failing, waiting, stopping; nodes that die."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.sandbox.client import CONFIG_MAPS, DEPLOYMENTS, EVENTS, LEASES, NODES, PODS, SECRETS
from reconciler.sandbox.kubelet.behavior import Timing, duration, tag
from reconciler.sandbox.kubelet.lifecycle import Lifecycle
from reconciler.sandbox.kubelet.logs import log_lines
from reconciler.sandbox.nodes import Pool

NOTE = "sandbox.reconciler.dev/behavior"


def state_of(pod: dict[str, Any], container: int = 0) -> dict[str, Any]:
    return pod["status"]["containerStatuses"][container]["state"]


def waiting(reason: str) -> Any:
    return lambda pod: (state_of(pod).get("waiting") or {}).get("reason") == reason


async def reaches(world: Any, name: str, check: Any, *, within: float = 60) -> dict[str, Any]:
    async def reached() -> Any:
        pod = await world.get(PODS, name)
        return pod if pod and (pod.get("status") or {}).get("containerStatuses") and check(pod) else None

    return await world.until(reached, within=within)


def test_a_pod_becomes_ready(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(PODS, make.pod("web"))
        pod = await world.status(PODS, "web", phase="Running", within=2)
        conditions = {entry["type"]: entry["status"] for entry in pod["status"]["conditions"]}
        kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers")
        assert conditions == dict.fromkeys(kinds, "True")
        (container,) = pod["status"]["containerStatuses"]
        assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
        assert pod["status"]["podIP"].startswith("10.")
        assert pod["status"]["qosClass"] == "BestEffort"

    simulate(scenario)


def test_a_readiness_probe_takes_a_moment(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        probe = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 5}}
        await world.create(PODS, make.pod("web", container=probe))
        pod = await world.status(PODS, "web", phase="Running", within=2)
        assert pod["status"]["containerStatuses"][0]["ready"] is False
        started = world.clock.monotonic()
        await world.condition(PODS, "web", "Ready")
        assert 4 < world.clock.monotonic() - started < 6

    simulate(scenario)


def test_init_containers_run_in_order_before_sidecars_and_the_rest(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        inits = [
            {"name": "one", "image": "x:1"},
            {"name": "proxy", "image": "x:1", "restartPolicy": "Always"},
            {"name": "two", "image": "x:1"},
        ]
        await world.create(PODS, make.pod("web", initContainers=inits))
        pod = await reaches(world, "web", lambda pod: "running" in state_of(pod))
        one, proxy, two = pod["status"]["initContainerStatuses"]
        starts = [
            one["state"]["terminated"]["startedAt"],
            proxy["state"]["running"]["startedAt"],
            two["state"]["terminated"]["startedAt"],
            state_of(pod)["running"]["startedAt"],
        ]
        assert starts == sorted(starts)
        await world.condition(PODS, "web", "Ready")

    simulate(scenario, timing=Timing(start=1.0))


def test_a_crashing_container_is_restarted_with_growing_pauses(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(PODS, make.pod("web", image="web:crash"))
        pod = await reaches(world, "web", waiting("CrashLoopBackOff"), within=5)
        assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
        assert pod["status"]["phase"] == "Running"
        times = []
        for restarts in (2, 3, 4):
            await reaches(
                world, "web", lambda pod, n=restarts: pod["status"]["containerStatuses"][0]["restartCount"] >= n
            )
            times.append(world.clock.monotonic())
        assert times[1] - times[0] == pytest.approx(20, abs=1)
        assert times[2] - times[1] == pytest.approx(40, abs=1)
        reasons = {event["reason"] for event in await world.objects(EVENTS)}
        assert "BackOff" in reasons

    simulate(scenario)


def test_an_image_that_cannot_be_pulled(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(PODS, make.pod("web", image="registry.example.com/web:broken"))
        await reaches(world, "web", waiting("ErrImagePull"), within=2)
        pod = await reaches(world, "web", waiting("ImagePullBackOff"), within=15)
        assert pod["status"]["phase"] == "Pending"
        assert "registry.example.com/web:broken" in state_of(pod)["waiting"]["message"]

    simulate(scenario)


def test_running_out_of_memory(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(PODS, make.pod("web", annotations={NOTE: "oom"}, restartPolicy="Never"))
        pod = await world.status(PODS, "web", phase="Failed", within=5)
        ended = state_of(pod)["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)

    simulate(scenario)


def test_annotations_say_how_long_and_with_which_code(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        notes = {"sandbox.reconciler.dev/duration": "1m30s", "sandbox.reconciler.dev/exit-code": "3"}
        await world.create(PODS, make.pod("task", annotations=notes, restartPolicy="Never"))
        await world.clock.sleep(89)
        assert (await world.get(PODS, "task"))["status"]["phase"] == "Running"
        pod = await world.status(PODS, "task", phase="Failed", within=3)
        assert state_of(pod)["terminated"]["exitCode"] == 3

    simulate(scenario)


def test_never_ready_and_pending_stay_so(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(PODS, make.pod("unready", annotations={NOTE: "never-ready"}))
        await world.create(PODS, make.pod("stuck", annotations={NOTE: "pending"}))
        await world.clock.sleep(600)
        unready, stuck = await world.get(PODS, "unready"), await world.get(PODS, "stuck")
        assert unready["status"]["phase"] == "Running"
        assert unready["status"]["containerStatuses"][0]["ready"] is False
        assert stuck["status"]["phase"] == "Pending"
        assert state_of(stuck) == {"waiting": {"reason": "ContainerCreating"}}

    simulate(scenario)


def test_a_missing_config_map_is_waited_for(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        mounted = make.pod("mounted", volumes=[{"name": "config", "configMap": {"name": "web"}}])
        key = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "level"}}}
        await world.create(PODS, mounted)
        await world.create(PODS, make.pod("env", container={"env": [key]}))
        await reaches(world, "mounted", waiting("ContainerCreating"))
        pod = await reaches(world, "env", waiting("CreateContainerConfigError"))
        assert state_of(pod)["waiting"]["message"] == 'configmap "web" not found'
        await world.clock.sleep(60)
        events = [event for event in await world.objects(EVENTS) if event["reason"] == "FailedMount"]
        assert events[0]["message"] == 'MountVolume.SetUp failed for volume "config" : configmap "web" not found'
        await world.create(CONFIG_MAPS, {"metadata": {"namespace": "shop", "name": "web"}, "data": {"other": "x"}})
        await world.status(PODS, "mounted", phase="Running", within=2)
        pod = await world.get(PODS, "env")
        assert state_of(pod)["waiting"]["message"] == "couldn't find key level in ConfigMap shop/web"
        await world.patch(CONFIG_MAPS, "web", {"data": {"level": "info"}})
        await world.status(PODS, "env", phase="Running", within=2)

    simulate(scenario)


def test_secret_values_are_not_kept(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        metadata = {"namespace": "shop", "name": "db"}
        await world.create(SECRETS, {"metadata": metadata, "stringData": {"password": "hunter2"}})
        key = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
        await world.create(PODS, make.pod("web", container={"env": [key]}))
        await world.status(PODS, "web", phase="Running", within=2)
        kept = world.simulation._informers.of(SECRETS).all()
        assert [entry["data"] for entry in kept] == [{"password": ""}]

    simulate(scenario)


def test_a_deleted_pod_stops_first(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(PODS, make.pod("web"))
        await world.status(PODS, "web", phase="Running")
        await world.delete(PODS, "web")
        assert "deletionTimestamp" in (await world.get(PODS, "web"))["metadata"]
        await world.gone(PODS, "web", within=1)

    simulate(scenario)


def test_what_a_finalizer_waits_for_is_reported_before_the_pod_goes(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        body = make.pod("task", restartPolicy="Never", annotations={"sandbox.reconciler.dev/duration": "1h"})
        body["metadata"]["finalizers"] = ["example.com/counted"]
        await world.create(PODS, body)
        await world.status(PODS, "task", phase="Running")
        await world.delete(PODS, "task")
        pod = await world.status(PODS, "task", phase="Failed", within=5)
        assert state_of(pod)["terminated"]["exitCode"] == 143
        await world.patch(PODS, "task", {"metadata": {"finalizers": None}})
        await world.gone(PODS, "task", within=5)

    simulate(scenario)


def test_a_pod_that_fits_nowhere_says_why_until_it_does(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        big = {"resources": {"requests": {"cpu": "64"}}}
        await world.create(PODS, make.pod("big", container=big))
        unfit = await world.condition(PODS, "big", "PodScheduled", "False")
        assert unfit["reason"] == "Unschedulable"
        assert unfit["message"] == "0/3 nodes are available: 3 Insufficient cpu."
        world.simulation.add_nodes([Pool("large", 1, cpu="96")])
        await world.status(PODS, "big", phase="Running", within=5)
        assert any(event["reason"] == "FailedScheduling" for event in await world.objects(EVENTS))

    simulate(scenario)


def test_a_higher_priority_goes_first(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        from reconciler.sandbox.client import Resource

        classes = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
        await world.create(classes, {"metadata": {"name": "high"}, "value": 1000})
        cpu = {"resources": {"requests": {"cpu": "3"}}}
        await world.create(PODS, make.pod("holder", container=cpu))
        await world.status(PODS, "holder", phase="Running")
        await world.create(PODS, make.pod("low", container=cpu))
        await world.condition(PODS, "low", "PodScheduled", "False")
        await world.create(PODS, make.pod("first", container=cpu, priorityClassName="high"))
        await world.condition(PODS, "first", "PodScheduled", "False")
        await world.delete(PODS, "holder")
        await world.status(PODS, "first", phase="Running", within=5)
        assert (await world.get(PODS, "low"))["status"]["phase"] == "Pending"

    simulate(scenario, nodes=[Pool("one", 1)])


def test_a_dead_node_loses_its_pods_and_a_revived_one_is_used_again(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.create(DEPLOYMENTS, make.workload("web", 2))
        await world.status(DEPLOYMENTS, "web", availableReplicas=2)
        victim = (await world.pods())[0]["spec"]["nodeName"]
        world.simulation.kill_node(victim)
        unknown = await world.condition(NODES, victim, "Ready", "Unknown")
        assert unknown["reason"] == "NodeStatusUnknown"
        await world.status(DEPLOYMENTS, "web", availableReplicas=1, within=5)
        taints = {(taint["key"], taint["effect"]) for taint in (await world.get(NODES, victim))["spec"]["taints"]}
        assert ("node.kubernetes.io/unreachable", "NoExecute") in taints
        await world.status(DEPLOYMENTS, "web", availableReplicas=2, within=320)
        stuck = [pod for pod in await world.pods() if pod["spec"]["nodeName"] == victim]
        assert all("deletionTimestamp" in pod["metadata"] for pod in stuck)
        assert stuck
        world.simulation.revive_node(victim)
        await world.condition(NODES, victim, "Ready", "True", within=5)
        await world.gone(PODS, stuck[0]["metadata"]["name"], within=5)

        async def clean() -> bool:
            return not (await world.get(NODES, victim))["spec"].get("taints")

        await world.until(clean, within=5)

    simulate(scenario)


def test_nodes_are_described_and_renew_their_leases(simulate: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.clock.sleep(30)
        node = await world.get(NODES, "spot-1")
        labels = node["metadata"]["labels"]
        assert labels["kubernetes.io/hostname"] == "spot-1"
        assert labels["topology.kubernetes.io/zone"] == "eu-1a"
        assert labels["reconciler.dev/pool"] == "spot"
        assert node["metadata"]["annotations"]["sandbox.reconciler.dev/price"] == "0.05"
        assert node["status"]["allocatable"]["cpu"] == "8"
        lease = await world.get(LEASES, "spot-1", "kube-node-lease")
        assert lease["spec"]["renewTime"] > "2026-01-01T00:00:15"
        assert lease["spec"]["leaseDurationSeconds"] == 40

    simulate(scenario, nodes=[Pool("spot", 2, cpu="8", zones=("eu-1a", "eu-1b"), price=0.05)])


def test_only_kubelets_drive_a_control_plane_that_has_its_own_controllers(simulate: Any, make: Any) -> None:
    async def scenario(world: Any) -> None:
        await world.clock.sleep(1)
        await world.create(PODS, make.pod("web", nodeName="general-1"))
        await world.status(PODS, "web", phase="Running", within=5)
        await world.create(PODS, make.pod("unbound"))
        await world.clock.sleep(60)
        assert (await world.get(PODS, "unbound"))["status"]["phase"] == "Pending"

    simulate(scenario, controllers=(), scheduler=False)


def test_a_pod_is_taken_up_where_an_earlier_kubelet_left_it(make: Any) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    pod = make.pod("web", image="web:crash")
    pod["metadata"]["uid"] = "u"

    def life(at: datetime) -> Lifecycle:
        return Lifecycle(pod, Timing(), pod_ip="10.0.0.1", host_ip="172.16.0.1", now=at)

    first = life(now)
    for second in range(5):
        first.advance(now + timedelta(seconds=second))
    pod["status"] = first.status(pod, now)
    assert waiting("CrashLoopBackOff")(pod)
    second_run = life(now + timedelta(seconds=60))
    second_run.advance(now + timedelta(seconds=60))
    status = second_run.status(pod, now + timedelta(seconds=60))
    assert status["containerStatuses"][0]["restartCount"] == 2
    assert status["startTime"] == pod["status"]["startTime"]


def test_log_lines_tell_the_life_of_a_container(make: Any) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    pod = make.pod("web", image="web:fail", restartPolicy="Never")
    pod["metadata"]["uid"] = "u"
    life = Lifecycle(pod, Timing(job=25), pod_ip="10.0.0.1", host_ip="172.16.0.1", now=now)
    assert log_lines(pod, "main", now) == []
    for second in range(0, 40, 5):
        life.advance(now + timedelta(seconds=second))
    pod["status"] = life.status(pod, now)
    texts = [text for _, text in log_lines(pod, "main", now + timedelta(seconds=60))]
    assert texts == ["main: started, image web:fail", "main: alive", "main: alive", "main: fatal: exiting with 1"]
    with pytest.raises(KeyError):
        log_lines(pod, "other", now)


def test_durations_and_tags_are_read() -> None:
    assert [duration(text) for text in ("500ms", "3s", "1m30s", "2h", "", "3", "s")] == [
        0.5,
        3,
        90,
        7200,
        None,
        None,
        None,
    ]
    assert tag("registry.example.com:5000/web:crash@sha256:00") == "crash"
    assert tag("registry.example.com:5000/web") == ""
