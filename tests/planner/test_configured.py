"""From a configuration and the wishes of repositories to a policy and pools."""

import pytest

from reconciler.model.cluster_view import Effect, NodeView, Resources, Taint
from reconciler.model.planner_config import (
    DefaultsConfig,
    EvictionsConfig,
    NodeTemplate,
    PlannerConfig,
    PlannerSettings,
    PoolConfig,
    RepositoryLimits,
    TaintConfig,
    WeightRange,
)
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import PROFILES, Allocation, Policy, TermName
from reconciler.planner.configured import Merged, allocation, policy, pools

GI = 2**30
RANGE = {"cost": WeightRange(0.1, 0.5), "fit": WeightRange()}
OPEN = PlannerConfig(weights={"cost": 0.2}, repositories=RepositoryLimits(("cost",), RANGE))


def test_the_default_is_the_planners_own() -> None:
    assert policy(PlannerConfig(), {}) == Merged(Policy(move_budget=0))


def test_what_is_configured_counts() -> None:
    config = PlannerConfig(
        "resilient", {"cost": 2}, quotas={"shop": {"cpu": "1500m", "memory": "4Gi"}}, evictions=EvictionsConfig(3)
    )
    made = policy(config, {}).policy
    assert (made.profile, made.weight(TermName.COST), made.move_budget) == ("resilient", 2, 3)
    assert made.quotas == {"shop": Resources(1500, 4 * GI)}


def test_a_repository_may_choose_what_it_is_let() -> None:
    made, notes = policy(OPEN, {"shop": PlannerSettings("cost", {"cost": 0.4})})
    assert (made.profile, made.weight(TermName.COST), notes) == ("cost", 0.4, ())


@pytest.mark.parametrize(("wanted", "counts"), [(0.0, 0.1), (0.1, 0.1), (0.5, 0.5), (7, 0.5)])
def test_a_weight_beyond_its_range_counts_as_the_nearest(wanted: float, counts: float) -> None:
    made, notes = policy(OPEN, {"shop": PlannerSettings(weights={"cost": wanted})})
    assert made.weight(TermName.COST) == counts
    assert len(notes) == (wanted != counts)


@pytest.mark.parametrize("settings", [PlannerSettings("resilient"), PlannerSettings(weights={"spread": 1})])
def test_what_it_is_not_let_is_said_and_left(settings: PlannerSettings) -> None:
    made, (note,) = policy(OPEN, {"shop": settings})
    assert made == policy(OPEN, {}).policy
    assert "shop" in note


def test_the_daemons_own_profile_needs_no_leave() -> None:
    assert policy(PlannerConfig("cost"), {"shop": PlannerSettings("cost")}).notes == ()


def test_where_two_contradict_each_other_the_configuration_stands() -> None:
    stated = {
        "shop": PlannerSettings("cost", {"cost": 0.3, "fit": 1}),
        "bank": PlannerSettings("balanced", {"cost": 0.4, "fit": 1}),
    }
    made, notes = policy(OPEN, stated)
    assert (made.profile, made.weight(TermName.COST), made.weight(TermName.FIT)) == ("balanced", 0.2, 1)
    assert notes == (
        "repositories do not agree on the profile, so the configuration stands: bank balanced, shop cost",
        "repositories do not agree on the weight of cost, so the configuration stands: bank 0.4, shop 0.3",
    )


def test_a_profile_of_a_repository_leaves_the_daemons_weights() -> None:
    made = policy(OPEN, {"shop": PlannerSettings("cost")}).policy
    assert made.weight(TermName.COST) == 0.2
    assert made.weight(TermName.SPREAD) == PROFILES["cost"][TermName.SPREAD]


def test_what_replicas_and_requests_are_reckoned_with() -> None:
    assert allocation(PlannerConfig()) == Allocation()
    config = PlannerConfig(headroom=0.3, max_replicas=7, pod_start=120, defaults=DefaultsConfig({"cpu": "100m"}))
    assert allocation(config) == Allocation({"cpu": "100m"}, 0.3, 7, 120)


def test_pools() -> None:
    template = NodeTemplate(
        {"cpu": "7500m", "memory": "29Gi", "pods": 100, "nvidia.com/gpu": 2},
        {"topology.kubernetes.io/zone": "eu-1a"},
        (TaintConfig("a", "NoSchedule", "b"),),
    )
    config = PlannerConfig(
        pools=(
            PoolConfig("general", {"pool": "general"}, 0.2, limits={"cpu": 400, "memory": "1600Gi"}),
            PoolConfig("spot", {"pool": "spot"}, spot=True, template=template, growth=5),
        )
    )
    labels = {"topology.kubernetes.io/zone": "eu-1a", "pool": "spot"}
    taint = Taint("a", "b", Effect.NO_SCHEDULE)
    assert pools(config) == (
        Pool("general", {"pool": "general"}, 0.2, limits=Resources(400_000, 1600 * GI)),
        Pool(
            "spot",
            {"pool": "spot"},
            spot=True,
            template=NodeView("spot", Resources(7500, 29 * GI), labels, (taint,), pods=100, gpus=2),
            growth=5,
        ),
    )
    assert pools(PlannerConfig()) == ()
