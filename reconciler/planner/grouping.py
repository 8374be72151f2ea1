"""Nodes into classes and workloads into shapes, as arrays: the planner decides over groups, not over names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reconciler.model.cluster_view import HOSTNAME, NodeView, Resources
from reconciler.model.plan import Constraint, Place
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.admission import refusal, selected, zone
from reconciler.planner.intake import Intake
from reconciler.planner.states import Bools, Classes, Ints, Shapes

CPU = "cpu"
MEMORY = "memory"
EPHEMERAL = "ephemeral-storage"
PODS = "pods"


@dataclass(frozen=True, slots=True)
class Groups:
    """Workloads share a shape only within a priority, so that a shape has one worth.

    `kinds` is the class of each node, `shape_of` the shape of each workload, `places` and `place_of` where each
    node is.

    `refusals` (classes × workloads) say why not; None where it may. `eligible` (classes × workloads) are the nodes over
    which a topology spread is counted: those that selectors and affinity allow, whatever their taints.
    """

    resources: tuple[str, ...]
    classes: Classes
    shapes: Shapes
    kinds: Ints
    shape_of: Ints
    refusals: tuple[tuple[Constraint | None, ...], ...]
    eligible: Bools
    places: tuple[Place, ...]
    place_of: Ints
    members: tuple[NodeView, ...]  # one node of each class


def group(intake: Intake) -> Groups:
    """Nodes that no workload can tell apart, and workloads that ask for the same of the same nodes."""
    resources = _resources(intake)
    keys = _label_keys(intake)
    kinds: dict[object, int] = {}
    members: list[NodeView] = []
    pool_of_kind: list[str] = []
    capacity: list[list[int]] = []
    of_node = []
    places: dict[Place, int] = {}
    place_of = []
    for node, pool in zip(intake.nodes, intake.of_pool, strict=True):
        amounts = amounts_of(node.allocatable, resources)
        amounts[resources.index(PODS)] = node.pods
        name = intake.pools[pool].name if pool >= 0 else ""
        labels = tuple((key, node.labels[key]) for key in keys if key in node.labels)
        known = (
            (name, zone(node), labels, node.taints, tuple(amounts)),
            (node.gpus, node.gpu_model, node.ready and node.schedulable, node.name in intake.grown),
        )
        kind = kinds.setdefault(known, len(kinds))
        if kind == len(members):
            members.append(node)
            pool_of_kind.append(name)
            capacity.append(amounts)
        of_node.append(kind)
        place_of.append(places.setdefault(Place(name, zone(node)), len(places)))
    refusals, eligible = _admitted(intake.needs, members, pool_of_kind)
    shapes, shape_of = _shapes(intake, resources, refusals, len(members))
    classes = Classes(
        np.array(capacity, np.int64).reshape(len(members), len(resources)),
        np.array([member.gpus for member in members], np.int64),
    )
    return Groups(
        resources, classes, shapes, np.array(of_node, np.int64), shape_of, refusals, eligible, tuple(places),
        np.array(place_of, np.int64), tuple(members),
    )  # fmt: skip


def amounts_of(amount: Resources, resources: Sequence[str]) -> list[int]:
    """In the order of `resources`; a pod counts as none here."""
    known = {CPU: amount.cpu, MEMORY: amount.memory, EPHEMERAL: amount.ephemeral, **dict(amount.extended)}
    return [known.get(name, 0) for name in resources]


def _resources(intake: Intake) -> tuple[str, ...]:
    """Only what some workload asks for: the rest cannot bind."""
    extended = {name for need in intake.needs for name, amount in need.requests.extended if amount}
    ephemeral = [EPHEMERAL] if any(need.requests.ephemeral for need in intake.needs) else []
    return (CPU, MEMORY, PODS, *ephemeral, *sorted(extended))


def _label_keys(intake: Intake) -> list[str]:
    """Labels that some workload looks at; a hostname makes every node a class of its own, so only where it is named."""
    keys: set[str] = set()
    for need in intake.needs:
        keys.update(need.node_selector)
        keys.update(requirement.key for term in need.node_affinity for requirement in term)
        keys.update(requirement.key for _, term in need.preferred for requirement in term)
        keys.update(spread.topology_key for spread in need.spreads if spread.topology_key != HOSTNAME)
        keys.update(term.topology_key for term in need.affinities if term.topology_key != HOSTNAME)
    return sorted(keys)


def _admitted(
    needs: Sequence[WorkloadNeed], members: Sequence[NodeView], pools: Sequence[str]
) -> tuple[tuple[tuple[Constraint | None, ...], ...], Bools]:
    known: dict[object, tuple[tuple[Constraint | None, ...], list[bool]]] = {}
    columns = []
    for need in needs:
        models = need.gpu.models if need.gpu.count else frozenset()
        key = (
            need.pool, need.zones, need.volume_zones, tuple(sorted(need.node_selector.items())), need.node_affinity,
            need.tolerations, models,
        )  # fmt: skip
        if key not in known:
            answers = tuple(refusal(need, member, pool) for member, pool in zip(members, pools, strict=True))
            known[key] = answers, [selected(need, member.labels) for member in members]
        columns.append(known[key])
    refusals = tuple(tuple(column[0][kind] for column in columns) for kind in range(len(members)))
    eligible = np.array([column[1] for column in columns], np.bool_).reshape(len(needs), len(members)).T
    return refusals, eligible


def _shapes(
    intake: Intake,
    resources: tuple[str, ...],
    refusals: tuple[tuple[Constraint | None, ...], ...],
    kinds: int,
) -> tuple[Shapes, Ints]:
    numbers: dict[object, int] = {}
    rows: list[tuple[list[int], int, int, list[bool]]] = []
    of_workload = []
    for index, need in enumerate(intake.needs):
        amounts = amounts_of(need.requests, resources)
        amounts[resources.index(PODS)] = 1
        refused = need.identity in intake.refused
        allowed = [not refused and refusals[kind][index] is None for kind in range(kinds)]
        count, milli = (need.gpu.count, need.gpu.milli) if need.gpu.count else (0, 0)
        number = numbers.setdefault((tuple(amounts), count, milli, tuple(allowed), need.priority), len(numbers))
        if number == len(rows):
            rows.append((amounts, count, milli, allowed))
        of_workload.append(number)
    return Shapes(
        np.array([row[0] for row in rows], np.int64).reshape(len(rows), len(resources)),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.bool_).reshape(len(rows), kinds).T,
    ), np.array(of_workload, np.int64)
