"""What a plan puts into pods, and what it takes them for."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import HOSTNAME, ZONE, ClusterSeen, NodeView, PodView, Resources
from reconciler.model.demand import Demand
from reconciler.model.filled import Draft, Preference, Record
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.spec import Scale
from reconciler.model.usage import ContainerUsage, Spread, Usage
from reconciler.planner.advice import LARGE, MOST_NODES, NOBODY, Advised, Asked, advised

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
GIBI = 1 << 30
WEB = Identity("reconciler.dev", "Deployment", "shop", "web")
POOLS = (Pool("cheap", {"tier": "cheap"}, 0.3), Pool("dear", {"tier": "dear"}, 1.0))


def node(name: str, tier: str, zone: str, cpu: int = 4000) -> NodeView:
    labels = {"tier": tier, ZONE: zone, HOSTNAME: f"{name}.example"}
    return NodeView(name, Resources(cpu, 16 * GIBI), labels)


NODES = tuple(node(f"{tier}-{zone}", tier, zone) for tier in ("cheap", "dear") for zone in "abc")


def draft(replicas: int | None = 2, requests: Mapping[str, str] | None = None, **pod: Any) -> Draft:
    stated = dict(requests or {})
    container = {"name": "web", **({"resources": {"requests": stated}} if stated else {})}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container], **pod}}
    return Draft(WEB, WEB, template, "h1", replicas, None, frozenset(stated))


def plan(asked: Asked, seen: ClusterSeen | None = None, usage: Usage | None = None) -> Advised:
    return advised(
        [asked],
        seen or ClusterSeen(NODES, ()),
        usage or Usage(),
        pools=POOLS,
        policy=Policy(),
        allocation=Allocation({"cpu": "100m"}),
        now=NOW,
    )


def test_pods_had_better_be_in_the_pool_and_on_the_nodes_of_the_plan() -> None:
    record = plan(Asked(draft())).records[WEB]
    assert record.prefer == (Preference(100, {"tier": "cheap"}),)
    assert record.spread == ("zone", "node")
    assert len(record.nodes) == 2
    assert all(name.startswith("cheap-") and name.endswith(".example") for name in record.nodes), "by their hostnames"


def test_of_two_pools_each_weighs_as_much_as_its_share_of_the_replicas() -> None:
    """Three pods fit the cheap pool, beside what others have there."""
    taken = tuple(PodView("shop", f"other-{zone}", f"cheap-{zone}", Resources(3000)) for zone in "abc")
    record = plan(Asked(draft(replicas=4, requests={"cpu": "1"})), ClusterSeen(NODES, taken)).records[WEB]
    assert record.prefer == (Preference(75, {"tier": "cheap"}), Preference(25, {"tier": "dear"}))


def test_one_pod_alone_has_a_zone() -> None:
    """Of several none is preferred: the wish would outweigh that they are spread."""
    (preference,) = plan(Asked(draft(replicas=1))).records[WEB].prefer
    assert len(preference.zones) == 1


def test_who_is_on_many_nodes_is_told_pools_only() -> None:
    nodes = tuple(node(f"n{number}", "cheap", "abc"[number % 3], cpu=1000) for number in range(MOST_NODES + 1))
    record = plan(Asked(draft(replicas=len(nodes), requests={"cpu": "900m"})), ClusterSeen(nodes, ())).records[WEB]
    assert record.nodes == ()
    assert record.prefer == (Preference(100, {"tier": "cheap"}),)


def test_to_be_even_over_zones_counts_for_more_than_pools_and_nodes_where_several_zones_are_left() -> None:
    def apart(draft: Draft, nodes: tuple[NodeView, ...] = NODES) -> bool:
        return plan(Asked(draft), ClusterSeen(nodes, ())).records[WEB].apart

    over_zones, over_nodes = ([{"topologyKey": key, "maxSkew": 1}] for key in (ZONE, HOSTNAME))
    assert apart(draft())
    assert apart(replace(draft(topologySpreadConstraints=over_zones), spread=True))
    assert not apart(replace(draft(topologySpreadConstraints=over_nodes), spread=True)), "the spec says over what"
    assert not apart(draft(replicas=1))
    assert not apart(draft(), tuple(node for node in NODES if node.labels[ZONE] == "a"))
    many = tuple(node(f"n{number}", "cheap", "abc"[number % 3]) for number in range(LARGE + 1))
    assert apart(draft(), many[1:])
    assert not apart(draft(), many), "the scheduler would look at too many pods"


def test_other_nodes_are_no_news() -> None:
    """Each plan may have others in mind: nobody is to be told that advice is pending for that."""
    record = plan(Asked(draft())).records[WEB]
    assert Record(record.asked, record.prefer, record.spread, record.requests, 2, ("elsewhere",)).template == (
        record.template
    )


def test_rule_19_pods_take_the_room_that_they_request_not_what_newer_advice_would_have() -> None:
    """Both replicas run on a node of two cores, having asked for little; they use more, which is known meanwhile."""
    here = (node("cheap-a", "cheap", "a", cpu=2000),)
    pods = tuple(PodView("shop", f"web-{number}", "cheap-a", Resources(100), WEB) for number in range(2))
    used = ContainerUsage(Spread(1.5, 1.5, 1.5), None, datetime(2026, 3, 1, tzinfo=UTC), NOW)
    usage = Usage({WEB: {"web": used}})
    recorded = Record("h1", requests={"cpu": "100m"}, replicas=2)
    found = plan(Asked(draft(), recorded), ClusterSeen(here, pods), usage)
    assert found.records[WEB].requests["cpu"] not in ("", "100m"), "the advice waits for the next roll-out"
    assert not found.plan.unplaced
    changed = plan(Asked(draft(), Record("h0", requests={"cpu": "100m"}, replicas=2)), ClusterSeen(here, pods), usage)
    assert changed.plan.unplaced[WEB].count == 1, "with a changed spec the roll-out is due"


JOB = WEB._replace(group="batch", kind="Job")


@pytest.mark.parametrize(
    ("workload", "replicas", "resting", "movable"),
    [
        (WEB, 2, frozenset(), True),
        (WEB, 2, None, False),  # nobody carries out moves
        (WEB, 2, frozenset({WEB}), False),
        (WEB, 1, frozenset(), False),  # it would be missed
        (JOB, 2, frozenset(), False),  # it would begin anew
    ],
)
def test_who_may_be_moved(
    workload: Identity, replicas: int, resting: frozenset[Identity] | None, movable: bool
) -> None:
    found = advised(
        [Asked(replace(draft(replicas), workload=workload))],
        ClusterSeen(NODES, ()),
        Usage(),
        pools=POOLS,
        policy=Policy(),
        allocation=Allocation(),
        now=NOW,
        resting=resting,
    )
    assert [need.movable for need in found.needs] == [movable]


SHOP = [WEB._replace(name=name) for name in ("web", "api", "mails", "jobs")]
SCALES = (None, Scale(max=20, target={"cpu": "50%"}), Scale(max=9, min=0, query="up", per_replica=3))


@settings(max_examples=25)
@given(
    order=st.permutations(range(4)),
    scales=st.lists(st.sampled_from(SCALES), min_size=4, max_size=4),
    series=st.lists(st.lists(st.floats(0, 30), min_size=1, max_size=90), min_size=4, max_size=4),
)
def test_the_same_demand_gives_the_same_bytes_in_whatever_order_it_comes(
    order: list[int], scales: list[Scale | None], series: list[list[float]]
) -> None:
    texts = []
    for each in (list(range(4)), order):
        asked, demand = [], {}
        for n in each:
            stated = draft(None, {"cpu": "500m"})
            asked.append(Asked(replace(stated, identity=SHOP[n], workload=SHOP[n], scale=scales[n])))
            query = (scales[n].query or "") if scales[n] is not None else ""  # type: ignore[union-attr]
            demand[SHOP[n]] = Demand.of(series[n], step=300, latest=NOW, query=query)
        plans, before = [], NOBODY
        for minute in (0, 3, 6):
            before = advised(
                asked,
                ClusterSeen(NODES, ()),
                Usage(demand=demand, lacking=dict.fromkeys(demand, "nothing new")),
                pools=POOLS,
                policy=Policy(),
                allocation=Allocation({"cpu": "100m"}),
                now=NOW + timedelta(minutes=minute),
                previous=before,
            )
            plans.append((repr(before.records), repr(before.allotted), before.notes, before.plan.placements))
        texts.append(plans)
    assert texts[0] == texts[1]


def test_a_query_that_says_nothing_is_noted() -> None:
    stated = replace(draft(None), scale=SCALES[2])
    found = plan(Asked(stated), usage=Usage(lacking={WEB: "the query finds nothing"}))
    assert any("the query finds nothing" in note for note in found.notes)
    assert found.records[WEB].replicas == 1


THRIFTY = PlannerSettings("cost", {"cost": 1000.0})


def thrifty(recorded: Record | None, weighs: PlannerSettings | None = THRIFTY) -> Advised:
    """Two pods that run in the dear pool, of a spec that was rolled out as `recorded` says."""
    pods = tuple(PodView("shop", f"p{zone}", f"dear-{zone}", Resources(100), WEB, {"app": "web"}) for zone in "ab")
    asked = replace(draft(requests={"cpu": "100m", "memory": "1Gi"}), weighs=weighs)
    return plan(Asked(asked, recorded), ClusterSeen(NODES, pods))


def pool_of(found: Advised) -> list[dict[str, str]]:
    return [each.labels for each in found.records[WEB].prefer]


def test_another_weight_moves_no_pod_that_runs() -> None:
    found = thrifty(Record("h1"))
    assert pool_of(found) == [{"tier": "dear"}]
    assert found.plan.moves == ()


def test_the_next_roll_out_weighs_all_places_anew() -> None:
    found = thrifty(Record("h0"))
    assert pool_of(found) == [{"tier": "cheap"}]
    assert found.records[WEB].weighs == THRIFTY
    (need,) = found.needs
    assert not need.movable, "its roll-out moves its pods, nobody has to evict them"


def test_so_does_the_one_after_the_spec_no_longer_says_how() -> None:
    dear = PlannerSettings(weights={"cost": 0.0})
    assert pool_of(thrifty(Record("h0", weighs=dear), None)) == [{"tier": "dear"}], "for to be there counts"
    (need,) = thrifty(Record("h0", weighs=dear), None).needs
    assert need.renewed
    (need,) = thrifty(Record("h0"), None).needs
    assert not need.renewed


def test_a_profile_of_its_own_has_spares_of_its_own() -> None:
    for profile, spares in (("cost", 1), ("balanced", 2), ("resilient", 3)):
        asked = replace(draft(None), weighs=PlannerSettings(profile))
        found = plan(Asked(asked))
        assert found.records[WEB].replicas == spares


def test_requests_are_weighed_by_what_the_spec_says() -> None:
    used = ContainerUsage(Spread(0.5, 1.0, 1.4), Spread(1e8, 2e8, 3e8), NOW - timedelta(days=9), NOW)
    usage = Usage({WEB: {"web": used}})
    found = {}
    for name, weighs in (("usual", None), ("own", PlannerSettings("resilient", {"slack": 0.0}))):
        found[name] = plan(Asked(replace(draft(), weighs=weighs)), usage=usage).allotted[WEB]
    for allotted, policy in ((found["usual"], Policy()), (found["own"], Policy("resilient", {"slack": 0.0}))):
        for choice in allotted.choices:
            for term in choice.chosen.terms:
                assert term.weight == policy.weight(term.name)
    assert found["usual"].requests != found["own"].requests
