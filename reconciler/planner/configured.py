"""From configuration to what the planner takes: its policy and its pools."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import msgspec

from reconciler.kube.pod_requests import amounts
from reconciler.model.cluster_view import Resources
from reconciler.model.planner_config import Amounts, PlannerConfig, PlannerSettings, PoolConfig
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Policy
from reconciler.model.reading import node_view, resources_of

T = TypeVar("T", str, float)


class Merged(NamedTuple):
    """A policy, and what repositories asked for in vain, each in words."""

    policy: Policy
    notes: tuple[str, ...] = ()


def policy(config: PlannerConfig, stated: Mapping[str, PlannerSettings]) -> Merged:
    """The policy that `config` gives, with what repositories would like, by source.

    A cluster has one planner, so they have to agree: what one states and no other contradicts counts, as far as the
    configuration lets it; a weight beyond its range counts as the nearest in it. Where two contradict each other the
    configuration stands.
    """
    notes: list[str] = []
    profile = _agreed({s: each.profile for s, each in stated.items() if each.profile is not None}, "profile", notes)
    if profile is not None and profile not in config.repositories.profiles and profile != config.profile:
        notes.append(f"profile {profile} is not among planner.repositories.profiles of the daemon's configuration")
        profile = None
    weights = dict(config.weights)
    for term in sorted({term for each in stated.values() for term in each.weights}):
        wanted = {source: each.weights[term] for source, each in stated.items() if term in each.weights}
        weight = _agreed(wanted, f"weight of {term}", notes)
        limits = config.repositories.weights.get(term)
        if weight is None:
            continue
        if limits is None:
            notes.append(
                f"the weight of {term} is not among planner.repositories.weights of the daemon's configuration"
            )
            continue
        weights[term] = min(max(weight, limits.min), limits.max)
        if weights[term] != weight:
            notes.append(f"the weight of {term} is {weights[term]:g} instead of {weight:g}: the daemon's limit")
    made = Policy(
        profile or config.profile,
        weights,
        move_budget=config.evictions.per_cycle,
        quotas={namespace: _amount(quota) for namespace, quota in config.quotas.items()},
    )
    return Merged(made, tuple(notes))


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
