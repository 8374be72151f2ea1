"""Workloads in shares over pools: reckoned as one, placed part by part."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import HOSTNAME, ZONE, ClusterSeen, NodeView, PodView, Resources
from reconciler.model.demand import Demand
from reconciler.model.filled import Draft, Record
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.shares import Portion
from reconciler.model.spec import Scale
from reconciler.model.usage import ContainerUsage, Spread, Usage
from reconciler.planner.advice import Advised, Asked, advised

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
GIBI = 1 << 30
WEB = Identity("reconciler.dev", "Deployment", "shop", "web")
POOLS = (Pool("cheap", {"tier": "cheap"}, 0.3), Pool("dear", {"tier": "dear"}, 1.0))
SHARES = {"cheap": 30, "dear": 70}
PARTS = [Portion(WEB, pool, SHARES) for pool in SHARES]
CHEAP, DEAR = (portion.identity for portion in PARTS)


def node(tier: str, zone: str) -> NodeView:
    labels = {"tier": tier, ZONE: zone, HOSTNAME: f"{tier}-{zone}"}
    return NodeView(f"{tier}-{zone}", Resources(16000, 64 * GIBI), labels)


NODES = tuple(node(tier, zone) for tier in ("cheap", "dear") for zone in "abc")


def drafts(replicas: int | None = None, scale: Scale | None = None) -> list[Draft]:
    def template(pool: str) -> dict[str, Any]:
        container = {"name": "web", "resources": {"requests": {"cpu": "100m"}}}
        return {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [container], "nodeSelector": {"tier": pool}},
        }

    return [
        Draft(p.identity, p.identity, template(p.pool), "h1", replicas, scale, frozenset({"cpu"}), portion=p)
        for p in PARTS
    ]


def plan(asked: list[Asked], usage: Usage | None = None, pods: tuple[PodView, ...] = ()) -> Advised:
    return advised(
        asked,
        ClusterSeen(NODES, pods),
        usage or Usage(),
        pools=POOLS,
        policy=Policy(),
        allocation=Allocation({"cpu": "100m"}),
        now=NOW,
    )


def placed(found: Advised) -> dict[Identity, dict[str, int]]:
    """Of each part, replicas by pool."""
    sums: dict[Identity, dict[str, int]] = {}
    for identity, shares in found.plan.placements.items():
        for share in shares:
            here = sums.setdefault(identity, {})
            here[share.place.pool] = here.get(share.place.pool, 0) + share.count
    return sums


@given(st.integers(1, 100))
def test_each_part_is_in_its_pool_with_its_share(replicas: int) -> None:
    found = plan([Asked(each) for each in drafts(replicas)])
    assert not found.plan.unplaced
    wanted = {CHEAP: {"cheap": PARTS[0].of(replicas)}, DEAR: {"dear": PARTS[1].of(replicas)}}
    assert placed(found) == {identity: pools for identity, pools in wanted.items() if all(pools.values())}


def test_what_is_required_is_not_preferred_again() -> None:
    records = plan([Asked(each) for each in drafts(10)]).records
    assert [record.prefer for record in records.values()] == [(), ()]
    assert all(name.startswith("dear-") for name in records[DEAR].nodes)


def test_a_number_that_is_open_is_reckoned_for_all_pods_together_and_then_shared() -> None:
    """1.7 cores are used by all pods; with half of a request of 100m as headroom each carries a little less."""
    demand = {WEB: Demand.of([1.7] * 300, step=300, latest=NOW, query="")}
    found = plan([Asked(each) for each in drafts()], Usage(demand=demand))
    (number,) = {record.replicas for record in found.records.values()}
    assert number is not None
    assert number >= 17
    assert [sum(placed(found)[part.identity].values()) for part in PARTS] == [part.of(number) for part in PARTS]
    assert [need.replicas for need in found.needs] == [part.of(number) for part in PARTS]


def test_requests_are_those_of_all_pods() -> None:
    open_ = [replace(each, requests=frozenset()) for each in drafts(10)]
    used = ContainerUsage(Spread(1.5, 1.5, 1.5), None, datetime(2026, 3, 1, tzinfo=UTC), NOW)
    records = plan([Asked(each) for each in open_], Usage({WEB: {"web": used}})).records
    assert records[CHEAP].requests == records[DEAR].requests != {}


def test_what_nobody_measures_goes_on_with_the_number_on_record_or_with_what_runs() -> None:
    recorded = Record("h1", replicas=10)
    known = plan([Asked(each, recorded if each.identity == DEAR else None) for each in drafts()])
    assert {record.replicas for record in known.records.values()} == {10}, "a part that is new has no record"
    replaced = plan([Asked(each, there=6) for each in drafts()])
    assert {record.replicas for record in replaced.records.values()} == {6}
    pods = [PodView("shop", f"c{n}", "cheap-a", Resources(100), CHEAP) for n in range(2)]
    pods += [PodView("shop", f"d{n}", "dear-a", Resources(100), DEAR) for n in range(5)]
    running = plan([Asked(each) for each in drafts()], pods=tuple(pods))
    assert {record.replicas for record in running.records.values()} == {7}
    ending = plan([Asked(each, there=6) for each in drafts()], pods=tuple(pods))
    assert {record.replicas for record in ending.records.values()} == {6}, "what is replaced may have the same name"


def test_of_an_autoscalers_pods_those_that_run_have_a_place() -> None:
    scale = Scale(20, {"cpu": "50%"}, 2)
    pods = [PodView("shop", f"d{n}", "dear-a", Resources(100), DEAR) for n in range(9)]
    found = plan([Asked(each) for each in drafts(scale=scale)], pods=tuple(pods))
    assert [need.replicas for need in found.needs] == [1, 9]


def test_a_query_that_says_nothing_is_noted_once() -> None:
    scale = Scale(9, min=0, query="up", per_replica=3)
    found = plan([Asked(each) for each in drafts(scale=scale)], Usage(lacking={WEB: "the query finds nothing"}))
    assert [note for note in found.notes if "the query finds nothing" in note] == [f"{WEB}: the query finds nothing"]
