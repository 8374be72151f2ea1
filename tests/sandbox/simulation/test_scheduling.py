"""Which node a pod goes to, and why not the others."""

import time
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kube.pod_requests import requested
from reconciler.sandbox.client import Object
from reconciler.sandbox.scheduler.placement import term_matches, tolerates
from reconciler.sandbox.scheduler.select import Selector, Unfit
from reconciler.sandbox.scheduler.state import Cluster

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def node(name: str, *, zone: str = "a", cpu: str = "4", taints: Any = (), labels: Any = (), **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "labels": {HOST: name, ZONE: zone, **dict(labels)}},
        "spec": {"taints": list(taints), **spec},
        "status": {"allocatable": {"cpu": cpu, "memory": "16Gi", "pods": "110"}},
    }


def pod(name: str, *, cpu: str = "100m", labels: Any = (), owner: str = "", **spec: Any) -> Object:
    owners = [{"controller": True, "uid": owner}] if owner else []
    container = {"name": "main", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": name, "labels": dict(labels), "ownerReferences": owners},
        "spec": {"containers": [container], **spec},
    }


class Room:
    """A scheduler without a server."""

    def __init__(self, *nodes: Object) -> None:
        self.cluster = Cluster()
        for entry in nodes:
            self.cluster.set_node(entry)
        self.selector = Selector(self.cluster, Random(1))

    def put(self, obj: Object) -> str:
        """The node that `obj` is placed on, or the message."""
        described = self.cluster.describe(obj)
        found = self.selector.select(described)
        if isinstance(found, Unfit):
            return found.message
        self.cluster.place(described, found)
        return found


def test_a_pod_goes_where_it_fits() -> None:
    room = Room(node("small", cpu="500m"), node("large"))
    assert room.put(pod("a", cpu="2")) == "large"


def test_what_is_reserved_is_gone_until_the_pod_is() -> None:
    room = Room(node("one", cpu="1"))
    assert room.put(pod("a", cpu="800m")) == "one"
    assert room.put(pod("b", cpu="800m")) == "0/1 nodes are available: 1 Insufficient cpu."
    room.cluster.remove("a")
    assert room.put(pod("b", cpu="800m")) == "one"


def test_every_reason_is_named_and_counted() -> None:
    room = Room(
        node("small", cpu="100m"),
        node("drained", unschedulable=True),
        node("gpu", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]),
        node("gpu2", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]),
    )
    assert room.put(pod("a", cpu="2")) == (
        "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable, "
        "2 node(s) had untolerated taint {gpu: yes}."
    )


def test_without_nodes_it_says_so() -> None:
    assert Room().put(pod("a")) == "no nodes available to schedule pods"


def test_extended_resources_are_counted() -> None:
    gpu = node("gpu")
    gpu["status"]["allocatable"]["nvidia.com/gpu"] = "1"
    room = Room(node("plain"), gpu)
    wanting = pod("a")
    wanting["spec"]["containers"][0]["resources"]["limits"] = {"nvidia.com/gpu": "1"}
    assert room.put(wanting) == "gpu"
    assert "2 Insufficient nvidia.com/gpu" in room.put({**wanting, "metadata": {**wanting["metadata"], "uid": "b"}})


def test_node_selector_and_affinity_decide() -> None:
    room = Room(node("a", labels={"disk": "hdd"}), node("b", labels={"disk": "ssd"}))
    assert room.put(pod("1", nodeSelector={"disk": "ssd"})) == "b"
    term = {"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    assert room.put(pod("2", affinity=affinity)) == "a"
    assert "didn't match Pod's node affinity/selector" in room.put(pod("3", nodeSelector={"disk": "tape"}))


def test_a_preferred_node_wins_but_is_not_needed() -> None:
    room = Room(node("a"), node("b", labels={"disk": "ssd"}))
    term = {"weight": 100, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert room.put(pod("1", affinity=affinity)) == "b"
    assert room.put(pod("2", cpu="3950m", affinity=affinity)) == "a"


def test_a_preferred_taint_is_avoided_but_does_not_forbid() -> None:
    room = Room(node("a", taints=[{"key": "spot", "effect": "PreferNoSchedule"}]), node("b", cpu="1"))
    assert room.put(pod("1")) == "b"
    assert room.put(pod("2", cpu="2")) == "a"


def anti(selector: dict[str, str], key: str = HOST) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": selector}, "topologyKey": key}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_anti_affinity_keeps_apart_in_both_directions() -> None:
    room = Room(node("a"), node("b"))
    labels = {"app": "db"}
    first = room.put(pod("1", labels=labels, affinity=anti(labels)))
    second = room.put(pod("2", labels=labels))
    assert {first, second} == {"a", "b"}
    message = room.put(pod("3", labels=labels, affinity=anti(labels)))
    assert "2 node(s) didn't match pod anti-affinity rules" in message
    one_left = Room(node("a"))
    one_left.put(pod("1", labels=labels, affinity=anti({"app": "web"})))
    assert "didn't satisfy existing pods anti-affinity rules" in one_left.put(pod("2", labels={"app": "web"}))


def test_affinity_follows_and_the_first_of_a_group_may_start_anywhere() -> None:
    room = Room(node("a1", zone="a"), node("b1", zone="b"), node("b2", zone="b"))
    term = {"labelSelector": {"matchLabels": {"app": "cache"}}, "topologyKey": ZONE}
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert "didn't match pod affinity rules" in room.put(pod("web", affinity=near))
    room.cluster.place(room.cluster.describe(pod("cache", labels={"app": "cache"})), "b1")
    assert room.put(pod("web", affinity=near)).startswith("b")
    empty = Room(node("a"))
    assert empty.put(pod("cache", labels={"app": "cache"}, affinity=near)) == "a"


def spread(key: str, when: str = "DoNotSchedule", **more: Any) -> list[dict[str, Any]]:
    selector = {"matchLabels": {"app": "web"}}
    return [{"topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": when, "labelSelector": selector, **more}]


def test_a_hard_spread_fills_the_zones_evenly_and_then_refuses() -> None:
    room = Room(node("a1", zone="a"), node("a2", zone="a"), node("b1", zone="b", cpu="250m"))
    zones = {"a1": "a", "a2": "a", "b1": "b"}
    places = [
        room.put(pod(str(number), labels={"app": "web"}, topologySpreadConstraints=spread(ZONE))) for number in range(5)
    ]
    assert sorted(zones[place] for place in places) == ["a", "a", "a", "b", "b"]
    message = room.put(pod("5", labels={"app": "web"}, topologySpreadConstraints=spread(ZONE)))
    assert message == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints."
    )


def test_a_soft_spread_prefers_but_does_not_refuse() -> None:
    room = Room(node("a1", zone="a"), node("b1", zone="b", cpu="250m"))
    constraint = spread(ZONE, "ScheduleAnyway")
    places = [
        room.put(pod(str(number), labels={"app": "web"}, topologySpreadConstraints=constraint)) for number in range(5)
    ]
    assert sorted(places) == ["a1", "a1", "a1", "b1", "b1"]


def test_replicas_of_one_controller_spread_over_nodes_by_default() -> None:
    room = Room(*(node(f"n{number}", zone="abc"[number % 3]) for number in range(6)))
    places = [room.put(pod(str(number), owner="rs")) for number in range(6)]
    assert len(set(places)) == 6


def test_host_ports_are_taken_once_per_node() -> None:
    room = Room(node("a"))

    def web(name: str) -> Object:
        obj = pod(name)
        obj["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
        return obj

    assert room.put(web("1")) == "a"
    assert "didn't have free ports" in room.put(web("2"))


def test_init_containers_and_sidecars_count_as_the_kubelet_runs_them() -> None:
    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "initContainers": [container("1"), container("200m", restartPolicy="Always"), container("2")],
        "containers": [container("500m"), container("300m")],
        "overhead": {"cpu": "50m"},
    }
    assert requested(spec)["cpu"] == 2000 + 200 + 50
    assert requested({"containers": spec["containers"]})["cpu"] == 800


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ({"key": "n", "operator": "Gt", "values": ["4"]}, True),
        ({"key": "n", "operator": "Lt", "values": ["4"]}, False),
        ({"key": "n", "operator": "Exists"}, True),
        ({"key": "m", "operator": "DoesNotExist"}, True),
        ({"key": "m", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "m", "operator": "Gt", "values": ["4"]}, False),
    ],
)
def test_node_selector_operators(expression: Object, *, matches: bool) -> None:
    assert term_matches({"matchExpressions": [expression]}, node("x", labels={"n": "5"})) is matches


def test_an_empty_term_matches_nothing_and_an_empty_toleration_everything() -> None:
    assert not term_matches({}, node("x"))
    taint = {"key": "gpu", "value": "yes", "effect": "NoExecute"}
    assert tolerates({"operator": "Exists"}, taint)
    assert tolerates({"key": "gpu", "value": "yes"}, taint)
    assert not tolerates({"key": "gpu", "value": "yes", "effect": "NoSchedule"}, taint)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2000), st.booleans()), min_size=1, max_size=40))
def test_no_node_is_ever_given_more_than_it_has(pods: list[tuple[int, bool]]) -> None:
    room = Room(node("a", cpu="3"), node("b", cpu="2"), node("c", cpu="1"))
    for number, (cpu, remove) in enumerate(pods):
        room.put(pod(str(number), cpu=f"{cpu}m"))
        if remove:
            room.cluster.remove(str(number // 2))
    for entry in room.cluster.nodes.values():
        assert entry.used.get("cpu", 0) <= entry.allocatable["cpu"]
        assert entry.used.get("cpu", 0) == sum(placed.requests["cpu"] for placed in entry.pods.values())


def test_two_thousand_pods_on_a_hundred_nodes_take_moments() -> None:
    room = Room(*(node(f"n{number}", zone="abc"[number % 3]) for number in range(100)))
    started = time.process_time()
    places = [
        room.put(
            pod(
                str(number),
                cpu="50m",
                owner=f"rs{number % 40}",
                labels={"app": f"app{number % 40}"},
                topologySpreadConstraints=[
                    {
                        "topologyKey": ZONE,
                        "maxSkew": 1,
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app": f"app{number % 40}"}},
                    }
                ],
            )
        )
        for number in range(2000)
    ]
    assert len(set(places)) == 100
    assert time.process_time() - started < 6
