"""Moves of a plan, carried out by evictions (opt-in)."""

from collections.abc import Collection
from itertools import pairwise

import pytest
from both_servers import on_both
from planned import POD, Planned, document, planned, planning
from texts import deployment
from virtual import virtual
from world import World

from reconciler.cluster.api import Api
from reconciler.cluster.evict import evict
from reconciler.engine.evicting import Evicting
from reconciler.kube.names import Identity
from reconciler.model.event import Event, EventType
from reconciler.model.plan import Move
from reconciler.sandbox import nodes

TWO = (nodes.Pool("cheap", 2, zones=("a", "b"), labels={"tier": "cheap"}),)  # of 4 cores

FOUR = (*TWO, nodes.Pool("dear", 2, zones=("a", "b"), labels={"tier": "dear"}))


def sized(name: str, cpu: str, replicas: int, p: Planned) -> str:
    requests = f"  replicas: {replicas}\n  resources: {{requests: {{cpu: {cpu}}}}}\n"
    return deployment(name, extra=requests + p.placement)


async def crowded(p: Planned, small: str, large: str) -> None:
    """A pod of `small` cores on each node, one core taken on one, and one pod that is too large for what is left."""
    repository = await p.w.started({"web.yaml": sized("web", small, 2, p)})
    assert len(set(await p.running(2, "web"))) == 2
    repository.commit({"other.yaml": sized("other", "1", 1, p)}, "Another")
    assert (await p.w.sync()).ok
    await p.running(1, "other")
    repository.commit({"api.yaml": sized("api", large, 1, p)}, "A large one")
    assert (await p.w.sync()).ok


@on_both
async def test_a_pod_is_moved_out_of_the_way_of_one_that_waits(w: World) -> None:
    """Each node has two cores taken, one of them three: there are three free, but not together."""
    async with planning(w, TWO, evictions=1, interval=30) as p:
        await crowded(p, "2", "3")
        (place,) = await p.running(1, "api")
        assert set(await p.running(2, "web")) == {node.name for node in p.nodes} - {place}
        (moved,) = w.heard(EventType.MOVED)
        assert moved.source == w.name("shop")
        assert f"is moved from node {place}: the plan has its place on" in moved.message
        assert str(moved.identity) == f"Deployment/{w.space}/web"


@virtual
async def test_parts_of_shares_are_moved_one_pod_at_a_time_for_their_budget_is_one() -> None:
    """As above in both pools, and both could be moved in one cycle. Two cycles are a minute apart."""
    async with planned(FOUR, interval=30, evictions=2) as p:
        w = p.w

        def bound(name: str, cpu: str, pool: str) -> str:
            return sized(name, cpu, 1, p).replace("placement: {", f"placement: {{pool: {pool}, ")

        shared = sized("web", "2", 4, p).replace("placement: {", "placement: {shares: {cheap: 50%, dear: 50%}, ")
        repository = await w.started({"web.yaml": shared})
        assert len(set(await p.running(4, "web"))) == 4
        repository.commit({f"{pool}.yaml": bound(pool, "1", pool) for pool in ("cheap", "dear")}, "Others")
        assert (await w.sync()).ok
        await p.running(1, "cheap")
        await p.running(1, "dear")
        large = {f"large-{pool}.yaml": bound(f"large-{pool}", "3", pool) for pool in ("cheap", "dear")}
        repository.commit(large, "Large ones")
        assert (await w.sync()).ok
        fewest = 4

        async def all_run() -> bool:
            nonlocal fewest
            await w.clock.sleep(0.2)
            fewest = min(fewest, len(await p.pods("web")))
            return len(await p.pods()) == 4 + 2 + 2

        await w.until(all_run, 300)
        assert fewest == 3, "the one budget lets one pod of all parts go"
        moved = w.heard(EventType.MOVED)
        assert {str(each.identity) for each in moved} == {f"Deployment/{w.space}/web-{n}" for n in ("cheap", "dear")}
        assert {node.partition("-")[0] for node in await p.running(4, "web")} == {"cheap", "dear"}
        assert not w.heard(EventType.DRIFTED)


@virtual
async def test_without_a_word_in_the_configuration_no_pod_is_ever_moved() -> None:
    async with planned(TWO, interval=60) as p:
        await crowded(p, "2", "3")
        before = {pod["metadata"]["uid"] for pod in await p.pods("web")}
        await p.w.clock.sleep(900)
        assert {pod["metadata"]["uid"] for pod in await p.pods("web")} == before
        assert p.planning.advised is not None
        assert not p.planning.advised.plan.moves
        assert sum(lack.count for lack in p.planning.advised.plan.unplaced.values()) == 1, "and nobody counts on it"


@virtual
async def test_a_pod_that_the_scheduler_puts_back_is_moved_again_only_after_pauses_that_grow() -> None:
    """There is room for the small one where it was, before the large one could take it."""
    async with planned(TWO, interval=60, evictions=1) as p:
        await crowded(p, "500m", "4")
        await p.w.clock.sleep(2100)
        lack = next(iter(p.planning.advised.plan.unplaced.values()))  # type: ignore[union-attr]
        assert "cheap-2 comes nearest" in lack.reason, "it is told that one has no place"
        times = [event.time for event in p.w.heard(EventType.MOVED)]
        first, second = ((after - before).total_seconds() for before, after in pairwise(times))
        assert 600 <= first < 700
        assert 1200 <= second < 1300


@virtual
async def test_a_lone_pod_is_never_moved() -> None:
    async with planned(TWO, interval=60, evictions=5) as p:
        pinned = sized("other", "3", 1, p).replace("placement: {", "placement: {zones: [b], ")
        repository = await p.w.started({"other.yaml": pinned})
        await p.running(1)
        repository.commit({"web.yaml": sized("web", "2", 1, p)}, "A lone one, in the other zone")
        assert (await p.w.sync()).ok
        await p.running(1, "web")
        pinned = pinned.replace("cpu: 3", "cpu: 2")
        small = sized("small", "1", 1, p).replace("placement: {", "placement: {zones: [a], ")
        repository.commit({"other.yaml": pinned, "small.yaml": small, "api.yaml": sized("api", "3", 1, p)}, "More")
        assert (await p.w.sync()).ok
        await p.w.clock.sleep(900)
        assert not await p.pods("api")
        assert not p.w.heard(EventType.MOVED)


@virtual
async def test_rule_21_who_lost_the_lease_moves_nobody() -> None:
    async with planned(TWO, interval=60, evictions=1) as p:
        await crowded(p, "2", "3")
        p.ours = False
        await p.w.clock.sleep(900)
        assert not p.w.heard(EventType.MOVED)
        p.ours = True
        await p.running(1, "api")


@virtual
@pytest.mark.parametrize(("per_cycle", "moved"), [(1, 1), (2, 2), (9, 3)])
async def test_so_many_are_moved_in_a_minute_and_one_of_each_workload(per_cycle: int, moved: int) -> None:
    async with planned(TWO) as p:
        names = ("api", "cart", "web")
        await p.w.started({f"{name}.yaml": sized(name, "500m", 3, p) for name in names})
        await p.running(9)
        await p.w.clock.sleep(5)  # until budgets and workloads have counted them
        owners = {Identity("apps", "Deployment", p.w.space, name): document(p.w, name) for name in names}
        pods = [pod for pod in p.roster.view(owners).pods if pod.owner is not None]
        moves = [Move(pod.owner, pod.node, "elsewhere") for pod in pods if pod.owner is not None]
        workloads = {planned_as: ("shop", workload) for workload, planned_as in owners.items()}
        told: list[Event] = []
        evicting = Evicting(p.w.cluster, per_cycle, ours=lambda: True, clock=p.w.clock, emit=told.append)
        for _ in range(3):
            await evicting.carry_out(moves, pods, workloads)
            await p.w.clock.sleep(15)
        assert len(told) == len({event.identity for event in told}) == moved
        left = {pod["metadata"]["name"] for pod in await p.pods()}
        assert len([pod for pod in pods if pod.name not in left]) == moved


@virtual
async def test_only_of_a_whole_workload_a_pod_is_moved() -> None:
    """Not while one of its pods waits, nor from the moment on that a new template is stated."""
    async with planned(TWO) as p:
        await p.w.started({"web.yaml": sized("web", "1", 3, p)})
        owner = Identity("apps", "Deployment", p.w.space, "web")
        web = p.w.path("deployments/web", "apis/apps/v1")
        await p.w.call("DELETE", p.w.path("poddisruptionbudgets/web", "apis/policy/v1"))  # which would refuse it too
        told: list[Event] = []

        async def moved() -> int:
            before, known = len(told), p.roster.view({owner: document(p.w, "web")}).pods
            moves = [Move(document(p.w, "web"), pod.node, "elsewhere") for pod in known if pod.owner is not None]
            evicting = Evicting(p.w.cluster, 9, ours=lambda: True, clock=p.w.clock, emit=told.append)
            await evicting.carry_out(moves, known, {document(p.w, "web"): ("shop", owner)})
            return len(told) - before

        await p.running(3)
        await p.w.clock.sleep(5)
        assert await moved() == 1
        await p.running(3)
        await p.w.patch(web, {"spec": {"replicas": 20}}, by="somebody")
        await p.w.clock.sleep(60)
        assert await moved() == 0, "not all have room"
        await p.w.patch(web, {"spec": {"replicas": 3}}, by="somebody")
        await p.running(3)
        await p.w.clock.sleep(60)
        assert await moved() == 1
        await p.running(3)
        await p.w.clock.sleep(60)
        await p.w.patch(web, {"spec": {"template": {"metadata": {"annotations": {"new": "one"}}}}}, by="somebody")
        assert await moved() == 0, "a roll-out begins"


@virtual
async def test_no_pod_is_moved_while_its_workload_lacks_one() -> None:
    async with planned(TWO, interval=60, evictions=1) as p:
        text = sized("web", "2", 2, p) + "  readinessProbe: {httpGet: {path: /, port: http}}\n"
        await crowded(p, "2", "3")
        commit = p.w.repositories["shop"].commit
        commit({"web.yaml": text.replace("replicas: 2", "replicas: 3"), "api.yaml": sized("api", "3", 1, p)}, "More")
        assert (await p.w.sync()).ok
        await p.w.clock.sleep(900)
        assert not p.w.heard(EventType.MOVED), "one of three has no place itself"


@on_both
async def test_a_budget_with_nothing_to_spare_keeps_its_pod_and_another_pod_of_the_name_its_life(w: World) -> None:
    async with planning(w, TWO) as p:
        await w.started({"web.yaml": sized("web", "1", 1, p)})
        await p.running(1)
        await w.create(
            w.path("poddisruptionbudgets", "apis/policy/v1"),
            {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}},
        )

        async def counted() -> bool:
            found = await w.get("PodDisruptionBudget", "web", group="policy")
            return found is not None and (found.get("status") or {}).get("currentHealthy") == 1

        await w.until(counted)
        (pod,) = await w.cluster.list(POD, w.space)
        api = Api(w.cluster.transport)
        assert not await evict(api, pod.identity, pod.uid)
        assert await names(w) == {pod.identity.name}
        await w.call("DELETE", w.path("poddisruptionbudgets/web", "apis/policy/v1"))
        assert await evict(api, pod.identity, pod.uid)

        async def gone() -> bool:
            return pod.identity.name not in await names(w)

        await w.until(gone)
        assert await evict(api, pod.identity, pod.uid), "gone already"


LABELS = {"app.kubernetes.io/name": "web"}


async def names(w: World) -> Collection[str]:
    return {pod.identity.name for pod in await w.cluster.list(POD, w.space)}
