"""Nodes and pods, followed: the view is what the server has, and only what matters to a plan is told."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from intercepted import Hooked, refusal
from virtual import virtual

from reconciler.clock import LoopClock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.paging import ItemMeta
from reconciler.cluster.roster import Roster
from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response
from reconciler.kube.kinds import BUDGET, NAMESPACE, NODE, POD, QUOTA
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.cluster_view import ClusterSeen, NodeView, PodView, Quota, Resources
from reconciler.planner import snapshot
from reconciler.sandbox.server import Sandbox

GI = 2**30
WEB = Identity("apps", "Deployment", "shop", "web")
SPEC = Identity("reconciler.dev", "Deployment", "shop", "web")
NODES = "/api/v1/nodes"
BROKEN = msgspec.Raw(b'{"metadata": {"name": "b"}, "status": {"allocatable": {"cpu": "lots"}}}')
META = ItemMeta("b", "", "999999")
PODS = "/api/v1/namespaces/shop/pods"


def node(name: str = "a", cpu: str = "4") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "eu-1a"}},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(name: str = "web-5d4-x", on: str = "a", memory: str = "1Gi") -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4", "uid": "u", "controller": True}
    resources = {"requests": {"cpu": "250m", "memory": memory}}
    return {
        "metadata": {"name": name, "labels": {"app": "web", "pod-template-hash": "5d4"}, "ownerReferences": [owner]},
        "spec": {"nodeName": on, "containers": [{"name": "web", "image": "example.com/web:1", "resources": resources}]},
    }


class Server:
    """A sandbox with the namespace shop. Lists and watches of `forbidden` paths are refused."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.inner = Sandbox(clock=self.clock).transport()
        self.forbidden: set[str] = set()
        self.asked = 0
        self.away = False

    async def answer(self, request: Request) -> Response | None:
        self.asked += 1
        if self.away:
            raise TransportError("no usable answer")
        return refusal(403, "Forbidden") if request.path in self.forbidden else None

    async def call(self, method: str, path: str, body: Any = None, content: str = "json") -> Any:
        headers = {"content-type": f"application/{content}"}
        answer = await self.inner.send(Request(method, path, (), headers, msgspec.json.encode(body) if body else b""))
        assert answer.status < 300, answer.body
        return msgspec.json.decode(answer.body)

    async def create(self, path: str, body: dict[str, Any]) -> None:
        await self.call("POST", path, body)
        if "status" in body:
            await self.status(f"{path}/{body['metadata']['name']}", body["status"])

    async def patch(self, path: str, body: dict[str, Any]) -> None:
        await self.call("PATCH", path, body, "merge-patch+json")

    async def status(self, path: str, status: dict[str, Any]) -> None:
        await self.patch(f"{path}/status", {"status": status})


class Followed:
    """A roster on a server, and how often it told of a change since it was last asked."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.told = self.first = 0  # the first lists apart
        self.cluster = Cluster(Hooked(server.inner, server.answer), clock=server.clock, random=Random(1))
        self.roster = Roster(self.cluster, clock=server.clock, random=Random(2), on_change=self._tell)

    def _tell(self) -> None:
        self.told += 1

    async def news(self) -> int:
        """How often it told, once what was done has arrived."""
        await asyncio.sleep(1)
        told, self.told = self.told, 0
        return told

    def view(self) -> ClusterSeen:
        return self.roster.view({WEB: SPEC})


@asynccontextmanager
async def followed(*forbidden: str, objects: Callable[[Server], Any] | None = None) -> AsyncIterator[Followed]:
    server = Server()
    await server.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    await server.create("/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": "default"}})
    if objects is not None:
        await objects(server)
    server.forbidden = set(forbidden)
    made = Followed(server)
    running = asyncio.create_task(made.roster.run())
    try:
        await made.roster.settled.wait()
        made.first = await made.news()
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.cluster.close()


async def one_of_each(server: Server) -> None:
    await server.create(NODES, node())
    await server.create(PODS, pod())


@virtual
async def test_the_view_is_what_the_server_has() -> None:
    async with followed(objects=one_of_each) as it:
        assert it.roster.able
        view = it.view()
        labels = {"app": "web", "pod-template-hash": "5d4"}
        resources = Resources(250, GI)
        assert view.pods == (PodView("shop", "web-5d4-x", "a", resources, SPEC, labels),)
        zone = {"topology.kubernetes.io/zone": "eu-1a"}
        assert view.nodes == (NodeView("a", Resources(4000, 16 * GI), zone),)
        assert not view.notes
        assert it.roster.view({}).pods[0].owner is None
        assert it.roster.workload(Identity("", "Pod", "shop", "web-5d4-x")) == WEB


@virtual
async def test_what_changes_is_in_the_next_view_and_what_does_not_stays() -> None:
    async with followed(objects=one_of_each) as it:
        before = it.view()
        assert it.view() is before
        await it.server.create(PODS, pod("web-5d4-y"))
        await it.news()
        after = it.view()
        assert {each.name for each in after.pods} == {"web-5d4-x", "web-5d4-y"}
        assert after.pods[0] is before.pods[0]
        assert after.nodes[0] is before.nodes[0]
        await it.server.call("DELETE", f"{PODS}/web-5d4-x", {"gracePeriodSeconds": 0})
        await it.news()
        assert [each.name for each in it.view().pods] == ["web-5d4-y"]


@virtual
async def test_the_first_lists_are_told_and_empty_ones_are_not() -> None:
    async with followed(objects=one_of_each) as it:
        assert 2 <= it.first <= 3, "nodes and pods; the sandbox has priorities of its own"
    async with followed() as it:
        assert it.first <= 1


@virtual
async def test_a_pod_that_changes_is_so_with_its_owner_too() -> None:
    async with followed(objects=one_of_each) as it:
        assert "team" not in it.view().pods[0].labels
        await it.server.patch(f"{PODS}/web-5d4-x", {"metadata": {"labels": {"team": "a"}}})
        assert await it.news() == 1
        (changed,) = it.view().pods
        assert (changed.owner, changed.labels["team"]) == (SPEC, "a")


@virtual
async def test_replicas_of_one_template_hold_what_they_share_once() -> None:
    async with followed(objects=one_of_each) as it:
        for template in ("5d4", "6e5"):
            for name in ("1", "2"):
                another = pod(f"web-{template}-{name}")
                another["metadata"]["labels"]["pod-template-hash"] = template
                another["metadata"]["ownerReferences"][0]["name"] = f"web-{template}"
                await it.server.create(PODS, another)
        await it.news()
        labels = {id(each.labels) for each in it.view().pods}
        assert len(it.view().pods) == 5
        assert len(labels) == 2


@virtual
async def test_a_view_for_other_workloads_has_other_owners() -> None:
    async with followed(objects=one_of_each) as it:
        assert it.roster.view({WEB: SPEC}).pods[0].owner == SPEC
        other = SPEC._replace(name="other")
        assert it.roster.view({WEB: other}).pods[0].owner == other
        assert it.roster.view({}).pods[0].owner is None


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"unschedulable": True}},
        {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}},
        {"metadata": {"labels": {"pool": "spot"}}},
        {"status": {"allocatable": {"cpu": "2"}}},
        {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
    ],
    ids=["cordoned", "tainted", "labelled", "smaller", "not ready"],
)
def test_what_a_node_is_to_a_plan_is_told(change: dict[str, Any]) -> None:
    @virtual
    async def scenario() -> None:
        async with followed(objects=one_of_each) as it:
            before = it.view()
            await it.server.patch(f"{NODES}/a{'/status' if 'status' in change else ''}", change)
            assert await it.news() == 1
            assert it.view().nodes != before.nodes

    scenario()


@virtual
async def test_what_only_beats_is_not_told() -> None:
    async with followed(objects=one_of_each) as it:
        before = it.view()
        beat = [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:10Z"}]
        await it.server.status(f"{NODES}/a", {"conditions": beat})
        await it.server.status(f"{PODS}/web-5d4-x", {"phase": "Running", "podIP": "10.0.0.1"})
        assert await it.news() == 0
        assert it.view() is before


@virtual
async def test_pods_that_are_bound_end_or_go_are_told_and_pods_that_wait_are_not() -> None:
    async with followed(objects=one_of_each) as it:
        waiting = pod("web-5d4-z")
        del waiting["spec"]["nodeName"]
        await it.server.create(PODS, waiting)
        assert await it.news() == 0
        bound = {"target": {"kind": "Node", "name": "a"}, "metadata": {"name": "web-5d4-z"}}
        await it.server.call("POST", f"{PODS}/web-5d4-z/binding", bound)
        assert await it.news() == 1
        await it.server.status(f"{PODS}/web-5d4-z", {"phase": "Succeeded"})
        assert await it.news() == 1
        await it.server.call("DELETE", f"{PODS}/web-5d4-z", {"gracePeriodSeconds": 0})
        assert await it.news() == 0
        await it.server.call("DELETE", f"{PODS}/web-5d4-x", {"gracePeriodSeconds": 0})
        assert await it.news() >= 1
        assert it.view().pods == ()


async def circumstances(server: Server) -> None:
    await one_of_each(server)
    scheduling = "/apis/scheduling.k8s.io/v1/priorityclasses"
    await server.create(scheduling, {"metadata": {"name": "high"}, "value": 1000})
    await server.create(scheduling, {"metadata": {"name": "usual"}, "value": 5, "globalDefault": True})
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    budgets = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
    await server.create(budgets, {**budget, "status": {"disruptionsAllowed": 2}})
    zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-1a"]}
    volume = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": "d", "volumeHandle": "h"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
    }
    await server.create("/api/v1/persistentvolumes", {"metadata": {"name": "v"}, "spec": volume})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "v"}
    claims = "/api/v1/namespaces/shop/persistentvolumeclaims"
    await server.create(claims, {"metadata": {"name": "data"}, "spec": claim})


@virtual
async def test_what_bears_on_workloads_is_there_too() -> None:
    async with followed(objects=circumstances) as it:
        around = it.view().around
        # The sandbox has Kubernetes' own two, system-…-critical.
        assert {name: around.priorities[name] for name in ("high", "usual", "")} == {"high": 1000, "usual": 5, "": 5}
        assert around.disruptions("shop", {"app": "web", "more": "x"}) == 2
        assert around.disruptions("shop", {"app": "other"}) is None
        assert around.disruptions("bank", {"app": "web"}) is None
        assert around.volume_zones("shop", ["data", None, "unknown"]) == {"eu-1a"}
        assert around.volume_zones("bank", ["data"]) == frozenset()


async def a_bank(server: Server) -> None:
    """A second namespace, and a pod that keeps away from pods of the namespaces of a team, and of one by its name."""
    await one_of_each(server)
    await server.create("/api/v1/namespaces", {"metadata": {"name": "bank", "labels": {"team": "b"}}})
    for selector in ({"team": "b"}, {"kubernetes.io/metadata.name": "shop"}):
        lonely = pod(f"lonely-{selector.get('team', 'shop')}")
        term = {"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {"matchLabels": selector}}
        lonely["spec"]["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        await server.create(PODS, lonely)


def away(it: Followed) -> dict[str, set[str]]:
    """By pod, the namespaces from whose pods it keeps away."""
    return {each.name: set(rule.namespaces or ()) for each in it.view().pods for rule in each.affinities}


@virtual
async def test_affinities_are_about_the_namespaces_that_have_the_labels_now() -> None:
    async with followed(objects=a_bank) as it:
        assert away(it) == {"lonely-b": {"bank"}, "lonely-shop": {"shop"}}
        await it.server.patch("/api/v1/namespaces/shop", {"metadata": {"labels": {"team": "b"}}})
        assert await it.news() == 1
        assert away(it) == {"lonely-b": {"bank", "shop"}, "lonely-shop": {"shop"}}


@virtual
async def test_without_the_right_to_read_namespaces_those_with_pods_are_known_by_name() -> None:
    async with followed("/api/v1/namespaces", objects=a_bank) as it:
        assert it.roster.able
        assert list(it.roster.lacking()) == [NAMESPACE]
        assert away(it) == {"lonely-b": set(), "lonely-shop": {"shop"}}


@virtual
async def test_a_budget_that_moves_is_in_the_view_and_tells_nobody() -> None:
    async with followed(objects=circumstances) as it:
        path = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web"
        await it.server.status(path, {"disruptionsAllowed": 0})
        assert await it.news() == 0
        assert it.view().around.disruptions("shop", {"app": "web"}) == 0


QUOTAS = "/api/v1/namespaces/shop/resourcequotas"


async def a_quota(server: Server) -> None:
    await one_of_each(server)
    await server.create(QUOTAS, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "3"}}})


@virtual
async def test_a_quota_is_in_the_view_and_only_what_it_allows_is_told() -> None:
    async with followed(objects=a_quota) as it:
        assert it.view().around.quotas == (Quota("shop", "few", (("pods", 3),)),)
        await it.server.status(f"{QUOTAS}/few", {"hard": {"pods": "3"}, "used": {"pods": "1"}})
        assert await it.news() == 0
        await it.server.patch(f"{QUOTAS}/few", {"spec": {"hard": {"pods": "4"}}})
        assert await it.news() == 1
        assert it.view().around.quotas == (Quota("shop", "few", (("pods", 4),)),)
        await it.server.call("DELETE", f"{QUOTAS}/few")
        assert await it.news() == 1
        assert it.view().around.quotas == ()


@virtual
async def test_without_the_right_to_read_quotas_plans_do_without(caplog: pytest.LogCaptureFixture) -> None:
    async with followed("/api/v1/resourcequotas", objects=a_quota) as it:
        assert it.roster.able
        assert list(it.roster.lacking()) == [QUOTA]
        assert it.view().around.quotas == ()
        assert "ResourceQuota is not followed, plans do without: " in caplog.text


@virtual
async def test_without_the_right_to_read_pods_nothing_is_planned_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    async with followed("/api/v1/pods", objects=one_of_each) as it:
        for _ in range(5):
            await asyncio.sleep(120)
            assert it.view().nodes
        assert not it.roster.able
        assert list(it.roster.lacking()) == [POD]
        said = [record.getMessage() for record in caplog.records if "not followed" in record.getMessage()]
        assert len(said) == 1
        assert said[0].startswith("Pod is not followed, nothing is planned: ")
        it.server.forbidden.clear()
        await asyncio.sleep(120)
        assert it.roster.able
        assert len(it.view().pods) == 1
        assert not it.roster.lacking()


@virtual
async def test_rights_that_are_taken_away_turn_the_planner_off() -> None:
    async with followed(objects=one_of_each) as it:
        assert it.roster.able
        it.server.forbidden.add(NODES)
        await asyncio.sleep(1200)  # a watch that is open goes on until the server ends it
        assert not it.roster.able
        assert list(it.roster.lacking()) == [NODE]


@virtual
async def test_without_the_right_to_read_budgets_plans_do_without(caplog: pytest.LogCaptureFixture) -> None:
    async with followed("/apis/policy/v1/poddisruptionbudgets", objects=circumstances) as it:
        assert it.roster.able
        assert list(it.roster.lacking()) == [BUDGET]
        assert it.view().around.budgets == ()
        assert "PodDisruptionBudget.policy is not followed, plans do without: " in caplog.text


@virtual
async def test_an_object_that_makes_no_sense_is_named_and_hides_no_other() -> None:
    async with followed(objects=one_of_each) as it:
        it.roster.put(Identity("", "Node", "", "b"), it.roster.read(Identity("", "Node", "", "b"), BROKEN, META, "v1"))
        view = it.view()
        assert len(view.nodes) == 1
        assert view.notes == ("Node/b is left out: not a quantity: 'lots'",)


@virtual
async def test_a_priority_that_makes_no_sense_is_named_too() -> None:
    async with followed() as it:
        high = Identity("scheduling.k8s.io", "PriorityClass", "", "high")
        broken = msgspec.Raw(b'{"metadata": {"name": "high"}, "value": "much"}')
        it.roster.put(high, it.roster.read(high, broken, META, "scheduling.k8s.io/v1"))
        (note,) = it.view().notes
        assert note.startswith("PriorityClass/high is left out: ")
        assert "high" not in it.view().around.priorities


@virtual
async def test_an_api_server_that_is_away_for_a_while_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with followed(objects=one_of_each) as it:
        before = it.view()
        it.server.away = True
        await asyncio.sleep(1800)
        assert it.roster.able
        assert it.view() is before
        assert not it.roster.lacking()
        assert "not followed" not in caplog.text
        it.server.away = False
        await it.server.create(PODS, pod("web-5d4-y"))
        await asyncio.sleep(120)
        assert len(it.view().pods) == 2


@virtual
async def test_an_object_never_goes_back_in_time() -> None:
    async with followed(objects=one_of_each) as it:
        old = it.server.call("GET", f"{NODES}/a")
        known = await old
        await it.server.patch(f"{NODES}/a", {"spec": {"unschedulable": True}})
        await it.news()
        identity, meta = Identity("", "Node", "", "a"), ItemMeta("a", "", known["metadata"]["resourceVersion"])
        it.roster.put(identity, it.roster.read(identity, msgspec.Raw(msgspec.json.encode(known)), meta, "v1"))
        assert not it.view().nodes[0].schedulable
        it.roster.remove(identity, meta.resource_version)
        assert len(it.view().nodes) == 1


def killed(container: str, at: str, state: str = "lastState") -> dict[str, Any]:
    ended = {"reason": "OOMKilled", "finishedAt": at, "exitCode": 137}
    return {
        "name": container,
        "image": "x",
        "imageID": "",
        "ready": True,
        "restartCount": 1,
        state: {"terminated": ended},
    }


@virtual
async def test_containers_killed_for_want_of_memory_are_told_once() -> None:
    async with followed(objects=one_of_each) as it:
        status = {"phase": "Running", "containerStatuses": [killed("web", "2026-01-01T10:00:00Z", "state")]}
        await it.server.status(f"{PODS}/web-5d4-x", status)
        assert await it.news() == 0
        (first,) = it.roster.killed()
        assert (first.workload, first.container, first.memory) == (WEB, "web", GI)
        assert first.when == datetime(2026, 1, 1, 10, tzinfo=UTC)
        status["containerStatuses"] = [killed("web", "2026-01-01T10:00:00Z")]
        await it.server.status(f"{PODS}/web-5d4-x", {**status, "podIP": "10.0.0.1"})
        await it.news()
        assert it.roster.killed() == ()
        status["containerStatuses"] = [killed("web", "2026-01-01T11:00:00Z")]
        await it.server.status(f"{PODS}/web-5d4-x", status)
        await it.news()
        assert [each.when.hour for each in it.roster.killed()] == [11]


@virtual
async def test_which_pods_are_ready_for_a_while_is_known() -> None:
    async with followed(objects=one_of_each) as it:
        since = datetime(2026, 1, 1, 10, tzinfo=UTC)
        assert it.roster.ready(since) == {}, "one that does not say so"
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T10:00:00Z"}
        await it.server.status(f"{PODS}/web-5d4-x", {"phase": "Running", "conditions": [condition]})
        assert await it.news() == 0
        assert it.roster.ready(since) == {WEB: [Identity("", "Pod", "shop", "web-5d4-x")]}
        assert it.roster.ready(since - timedelta(seconds=1)) == {}
        await it.server.status(
            f"{PODS}/web-5d4-x", {"phase": "Running", "conditions": [{**condition, "status": "False"}]}
        )
        await it.news()
        assert it.roster.ready(since) == {}


@virtual
async def test_a_lost_watch_loses_nothing() -> None:
    async with followed(objects=one_of_each) as it:
        asked = it.server.asked
        await asyncio.sleep(3600)
        assert it.server.asked - asked < 6 * 15, "watches are opened again, lists are not"
        await it.server.create(PODS, pod("web-5d4-y"))
        assert await it.news() == 1
        assert len(it.view().pods) == 2


@virtual
async def test_an_api_that_is_not_there_yet_is_waited_for() -> None:
    server = Server()
    await server.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    await server.create(NODES, node())
    server.forbidden = {"/api", "/apis"}
    made = Followed(server)
    running = asyncio.create_task(made.roster.run())
    await asyncio.sleep(30)
    assert not made.roster.able
    server.forbidden = set()
    await asyncio.wait_for(made.roster.settled.wait(), 120)
    assert len(made.view().nodes) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.cluster.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete", "lose", "stale", "relist", "view", "view"]),
        st.sampled_from([(NODE, "a"), (NODE, "b"), (POD, "p"), (POD, "q"), (BUDGET, "one"), (NAMESPACE, "bank")]),
        st.integers(0, 3),
    ),
    max_size=40,
)


def variant(kind: GroupKind, name: str, number: int) -> dict[str, Any]:
    """One of four states of an object."""
    if kind == NODE:
        return {"apiVersion": "v1", "kind": "Node", **node(name, cpu=str(number or "lots"))}
    if kind == NAMESPACE:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": str(number)}}}
    if kind == BUDGET:
        spec = {"selector": {"matchLabels": {"app": "web"}}}
        body = {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}
        return {"apiVersion": "policy/v1", "kind": kind.kind, **body, "status": {"disruptionsAllowed": number}}
    stated = pod(name, memory=f"{number}Gi")
    term = {"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {"matchLabels": {"team": "1"}}}
    stated["spec"]["affinity"] = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    stated["metadata"]["namespace"] = "shop"
    if number == 2:
        del stated["spec"]["nodeName"]
    return {"apiVersion": "v1", "kind": "Pod", **stated, "status": {"phase": "Succeeded" if number == 3 else "Running"}}


def test_whatever_happens_the_view_is_that_of_a_snapshot_taken_then() -> None:
    clock = SystemClock()
    cluster = Cluster(Sandbox(clock=clock).transport(), clock=clock, random=Random(1))  # nobody is asked

    @given(STEPS)
    def holds(steps: list[tuple[str, Any, int]]) -> None:
        followed_by(Roster(cluster, clock=clock, random=Random(1)), steps)

    holds()


def followed_by(made: Roster, steps: list[tuple[str, Any, int]]) -> None:
    """Do what `steps` say, and compare each view with what a snapshot of the same objects has."""
    there: dict[Identity, tuple[str, dict[str, Any]]] = {}
    versions = itertools.count(1)

    def put(identity: Identity, version: str, obj: dict[str, Any]) -> None:
        made.put(identity, held(identity, version, obj))

    def held(identity: Identity, version: str, obj: dict[str, Any]) -> Any:
        meta = ItemMeta(identity.name, identity.namespace, version)
        return made.at(identity, version) or made.read(identity, msgspec.Raw(msgspec.json.encode(obj)), meta, "v1")

    for verb, (kind, name), number in [*steps, ("view", (NODE, "a"), 0)]:
        obj = variant(kind, name, number)
        identity = Identity.of(obj)
        if verb == "put":
            there[identity] = (str(next(versions)), obj)
            put(identity, *there[identity])
        elif verb == "delete" and there.pop(identity, None):
            made.remove(identity, str(next(versions)))
        elif verb == "stale" and identity in there:
            put(identity, str(int(there[identity][0]) - 1), obj)
        elif verb in ("relist", "lose"):
            if verb == "lose":  # a watch has missed that it is gone
                there.pop(identity, None)
            listed = {known: held(known, *state) for known, state in there.items() if known.group_kind == kind}
            made.replace(kind, "", listed, str(next(versions)))
        elif verb == "view":
            seen = made.view({WEB: WEB} if number else {})
            expected = snapshot.view([state for _, state in there.values()])
            owned = {pod.name: None if not number else WEB for pod in expected.pods}
            assert {each.name: each for each in seen.nodes} == {each.name: each for each in expected.nodes}
            assert {each.name: each for each in seen.pods} == {
                each.name: replace(each, owner=owned[each.name]) for each in expected.pods
            }
            assert len(seen.notes) == len(expected.notes)
            budget = there.get(Identity("policy", "PodDisruptionBudget", "shop", "one"))
            allowed = budget[1]["status"]["disruptionsAllowed"] if budget is not None else None
            assert seen.around.disruptions("shop", {"app": "web"}) == allowed
