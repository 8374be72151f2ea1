"""A workload that is weighed by what its own spec says."""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.cluster_view import HOSTNAME, Gpu, NodeView, PodAffinity, PodView, Resources
from reconciler.model.plan import IDENTITY, Plan
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy, TermName
from reconciler.planner.plan import plan
from reconciler.planner.weighing import weighings

GIBI = 1 << 30
POOLS = (Pool("dear", {"tier": "dear"}, 1.0), Pool("spot", {"tier": "spot"}, 0.2, spot=True))
THRIFTY = PlannerSettings(weights={"cost": 1000})
CALM = PlannerSettings(weights={"spot": 1000})


def node(name: str, tier: str, cpu: int = 8000, gpus: int = 0) -> NodeView:
    return NodeView(name, Resources(cpu, 32 * GIBI), {"tier": tier, HOSTNAME: name}, gpus=gpus)


NODES = (node("dear-1", "dear"), node("dear-2", "dear"), node("spot-1", "spot"), node("spot-2", "spot"))


def need(name: str, weighs: PlannerSettings | None = None, replicas: int = 2) -> WorkloadNeed:
    identity = Identity("reconciler.dev", "Deployment", "shop", name)
    return WorkloadNeed(identity, replicas, Resources(500, GIBI), labels={"app": name}, weighs=weighs)


def answer(
    needs: Sequence[WorkloadNeed],
    pods: Sequence[PodView] = (),
    previous: Plan = IDENTITY,
    nodes: Sequence[NodeView] = NODES,
) -> Plan:
    """Without a search, which finds a place for all that has the priority."""
    return plan(nodes, pods, needs, pools=POOLS, policy=Policy(iterations=0), previous=previous)


def tiers(found: Plan, asked: WorkloadNeed) -> set[str]:
    return {share.place.pool for share in found.placements[asked.identity]}


def run(asked: WorkloadNeed, *nodes: str) -> list[PodView]:
    return [
        PodView("shop", f"{asked.identity.name}-{at}", name, asked.requests, asked.identity, asked.labels)
        for at, name in enumerate(nodes)
    ]


def test_each_goes_where_its_own_weights_lead() -> None:
    thrifty, calm = need("thrifty", THRIFTY), need("calm", CALM)
    found = answer([thrifty, calm])
    assert (tiers(found, thrifty), tiers(found, calm)) == ({"spot"}, {"dear"})


def test_of_one_shape_each_takes_its_own_node() -> None:
    """What is worked out for a shape holds for its weights alone."""
    nodes = (node("filled", "dear", cpu=1000), node("empty", "dear", cpu=16000))
    none = {name.value: 0.0 for name in TermName}
    tight = need("tight", PlannerSettings(weights={**none, "fit": 1}), 1)
    even = need("even", PlannerSettings(weights={**none, "balance": 1}), 1)
    found = answer([tight, even], nodes=nodes)
    assert found.assignment[tight.identity] == {"filled": 1}
    assert found.assignment[even.identity] == {"empty": 1}


def test_its_share_of_a_gpu_comes_from_the_device_that_its_own_weights_choose() -> None:
    """To fill the device that is begun leaves a whole one for who needs that; who does not mind takes the first."""
    nodes = (node("gpu-1", "dear", gpus=2),)
    begun = replace(need("begun", replicas=1), gpu=Gpu(1, 400), priority=20)
    whole = replace(need("whole", replicas=1), gpu=Gpu(1))
    for weighs, waiting in ((None, 0), (PlannerSettings(weights={"fragmentation": 0}), 1)):
        part = replace(need("part", weighs, 1), gpu=Gpu(1, 300), priority=10)
        found = answer([begun, part, whole], nodes=nodes)
        assert len(found.unplaced) == waiting


def test_one_that_is_weighed_otherwise_than_before_is_placed_anew() -> None:
    web = need("web", CALM)
    before = answer([web])
    after = answer([replace(web, weighs=THRIFTY)], previous=before)
    assert (tiers(before, web), tiers(after, web)) == ({"dear"}, {"spot"})
    again = answer([replace(web, weighs=THRIFTY)], previous=after)
    assert repr(again) == repr(after)


def test_no_longer_to_say_anything_is_another_weight_too() -> None:
    web = need("web", THRIFTY)
    before = answer([web])
    after = answer([replace(web, weighs=None)], previous=before)
    (option,) = {decision.chosen for decision in after.decisions[web.identity]}
    assert {term.name: term.weight for term in option.terms}[TermName.COST] == Policy().weight(TermName.COST)


def test_what_runs_stays_and_is_told_by_the_weights_as_they_are_now() -> None:
    web = need("web", CALM)
    before = answer([web])
    pods = run(web, *before.assignment[web.identity])
    after = answer([replace(web, weighs=THRIFTY)], pods, before)
    assert (tiers(after, web), after.moves) == ({"dear"}, ())
    (decision,) = after.decisions[web.identity]
    weights = {term.name: term.weight for term in decision.chosen.terms}
    assert weights[TermName.COST] == 1000


def test_pods_that_are_made_anew_are_all_weighed_anew() -> None:
    web = need("web", THRIFTY)
    pods = run(web, "dear-1", "dear-2")
    assert tiers(answer([web], pods), web) == {"dear"}
    assert tiers(answer([replace(web, renewed=True)], pods), web) == {"spot"}


def test_to_be_there_already_is_worth_its_stickiness_then() -> None:
    web = need("web", PlannerSettings(weights={"cost": 0.1, "stickiness": 1}))
    pods = run(web, "dear-1", "dear-2")
    found = answer([replace(web, renewed=True)], pods)
    assert found.assignment[web.identity] == {"dear-1": 1, "dear-2": 1}
    terms = {term.name: term.value for term in found.decisions[web.identity][0].chosen.terms}
    assert terms[TermName.STICKINESS] == 1


def test_nobody_takes_its_room_meanwhile() -> None:
    """The pods are there until the roll-out is through, and one that waits is no more than it is."""
    nodes = (node("full", "dear", cpu=1000),)
    web, waits = need("web", THRIFTY), replace(need("a-large-one", replicas=1), requests=Resources(800, GIBI))
    pods = run(web, "full", "full")
    for asked in (web, replace(web, renewed=True)):
        found = answer([asked, waits], pods, nodes=nodes)
        assert list(found.unplaced) == [waits.identity]


def test_what_waits_of_it_has_its_turn_by_priority() -> None:
    """To be weighed anew is no way past others."""
    nodes = (node("small", "dear", cpu=1000),)
    web = need("web", CALM, 1)
    before = answer([web], nodes=nodes)
    first = replace(need("first", replicas=1), priority=10)
    found = answer([replace(web, weighs=THRIFTY, replicas=2), first], previous=before, nodes=nodes)
    assert {name.name: lack.count for name, lack in found.unplaced.items()} == {"web": 1}


def test_others_stay_where_they_are_meanwhile() -> None:
    web, other = need("web", CALM), need("other")
    before = answer([web, other])
    after = answer([replace(web, weighs=THRIFTY), other], previous=before)
    assert after.assignment[other.identity] == before.assignment[other.identity]
    assert after.decisions[other.identity] == before.decisions[other.identity]


def test_what_must_be_with_it_is_not_left_alone() -> None:
    beside = PodAffinity("tier", LabelSelector.of({"matchLabels": {"app": "web"}}))
    follower = replace(need("follower", replicas=1), affinities=(beside,))
    before = answer([need("web", CALM), follower])
    assert tiers(before, follower) == {"dear"}
    alone = need("web", THRIFTY)
    assert tiers(answer([alone], previous=before), alone) == {"spot"}
    found = answer([alone, follower], previous=before)
    assert (tiers(found, alone), tiers(found, follower)) == ({"dear"}, {"dear"})


def test_weights_that_are_equal_are_one() -> None:
    """However they are said: so that nothing is worked out twice."""
    policy = Policy("cost")
    usual, first, second, said = weighings(
        [
            need("a"),
            need("b", CALM),
            need("c", PlannerSettings("cost", {"spot": 1000})),
            need("d", PlannerSettings("cost")),
        ],
        policy,
    )
    assert first is second
    assert said is usual
    assert first is not usual
