"""From configuration to what the planner takes: its policy and its pools."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import msgspec

from reconciler.kube.pod_requests import amounts
from reconciler.model.cluster_view import Resources
from reconciler.model.planner_config import Amounts, PlannerConfig, PlannerSettings, PoolConfig
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.reading import node_view, resources_of

T = TypeVar("T", str, float)


class Merged(NamedTuple):
    """A policy, and what repositories asked for in vain, each in words."""

    policy: Policy
    notes: tuple[str, ...] = ()


def policy(config: PlannerConfig, wishes: Mapping[str, PlannerSettings]) -> Merged:
    """The policy that `config` gives, with the wishes of repositories, by source.

    A wish counts as far as the configuration lets it; a weight beyond its range counts as the nearest in it. A cluster
    has one planner, so the sources have to agree: where two contradict each other the configuration stands.
    """
    notes: list[str] = []
    profiles: dict[str, str] = {}
    weights: dict[str, dict[str, float]] = {}  # by term and source
    for source, wish in sorted(wishes.items()):
        beyond = {each.path: each for each in config.beyond(wish)}
        notes += [f"{source}: {each}" for each in beyond.values()]
        if wish.profile is not None and ("profile",) not in beyond:
            profiles[source] = wish.profile
        for term, weight in sorted(wish.weights.items()):
            refused = beyond.get(("weights", term))
            counts = weight if refused is None else refused.counts
            if counts is not None:
                weights.setdefault(term, {})[source] = counts
    profile = _agreed(profiles, "profile", notes)
    agreed = {term: _agreed(wanted, f"weight of {term}", notes) for term, wanted in sorted(weights.items())}
    made = Policy(
        profile or config.profile,
        {**config.weights, **{term: weight for term, weight in agreed.items() if weight is not None}},
        move_budget=config.evictions.per_cycle,
        quotas={namespace: _amount(quota) for namespace, quota in config.quotas.items()},
    )
    return Merged(made, tuple(notes))


def allocation(config: PlannerConfig) -> Allocation:
    """What replicas and requests are reckoned with."""
    requests = {name: str(amount) for name, amount in config.defaults.requests.items()}
    return Allocation(requests, config.headroom, config.max_replicas, config.pod_start)


def pools(config: PlannerConfig) -> tuple[Pool, ...]:
    """Those that are configured, in their order; none where `planner.pools.found` is to tell them."""
    return tuple(_pool(pool) for pool in config.pools)


def _pool(pool: PoolConfig) -> Pool:
    template = None
    if pool.template is not None:
        node = {
            "metadata": {"name": pool.name, "labels": {**pool.template.labels, **pool.node_selector}},
            "spec": {"taints": [msgspec.to_builtins(taint) for taint in pool.template.taints]},
            "status": {"allocatable": pool.template.allocatable, "conditions": [{"type": "Ready", "status": "True"}]},
        }
        template = node_view(node)
    limits = _amount(pool.limits) if pool.limits else None
    return Pool(pool.name, pool.node_selector, pool.price, pool.spot, limits, template, pool.growth)


def _amount(stated: Amounts) -> Resources:
    return resources_of(amounts(stated))


def _agreed(wanted: Mapping[str, T], what: str, notes: list[str]) -> T | None:
    """What all that want something want; None where that is nothing, or not the same."""
    if len(set(wanted.values())) > 1:
        said = ", ".join(f"{source} {value}" for source, value in sorted(wanted.items()))
        notes.append(f"repositories do not agree on the {what}, so the configuration stands: {said}")
        return None
    return next(iter(wanted.values()), None)
