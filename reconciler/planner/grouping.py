"""Nodes into classes and workloads into shapes, as arrays: the planner decides over groups, not over names.

Classes, places and shapes are numbered by what they are, never by who came first, so that a node or a workload that
comes or goes leaves all other numbers in their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np

from reconciler.model.cluster_view import HOSTNAME, NodeView, Resources
from reconciler.model.plan import Constraint, Place
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.admission import refusal, selected, zone
from reconciler.planner.intake import Intake
from reconciler.planner.shapes import Bools, Classes, Ints, Shapes

CPU = "cpu"
MEMORY = "memory"
EPHEMERAL = "ephemeral-storage"
PODS = "pods"

Key = tuple[Any, ...]  # of one sort for each use, so that keys compare
_Node = tuple[NodeView, str, Key]  # made safe, its pool, its class


@dataclass(frozen=True, slots=True)
class Look:
    """What a workload looks at in a node: scarce resources, and labels."""

    ephemeral: bool
    extended: frozenset[str]
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Keyed:
    """The keys of single nodes and needs, by `id` (see `intake.Known`); they hold for the same resources and labels.
    `looks` hold for any.

    Equal keys are one object, which `shared` finds, so that they can be told apart without comparing them.
    """

    looks: Mapping[int, tuple[WorkloadNeed, Look]]
    resources: tuple[str, ...]
    labels: tuple[str, ...]
    nodes: Mapping[int, _Node]
    needs: Mapping[int, tuple[WorkloadNeed, Key, Key]]  # a need made safe, what it asks for, where it may go
    shared: Mapping[Key, Key]


NOTHING_KEYED: Final = Keyed({}, (), (), {}, {}, {})


@dataclass(frozen=True, slots=True)
class Groups:
    """Workloads share a shape only within a priority, so that a shape has one worth.

    `kinds` is the class of each node, `shape_of` the shape of each workload, `places` and `place_of` where each
    node is.

    `admission_of` each workload is a column of `refusals` (columns × classes), which say why not; None where it may.
    `eligible` (columns × classes) are the nodes over which a topology spread is counted: those that selectors and
    affinity allow, whatever their taints; `stays` (columns × classes) those where a replica that is there may stay.
    """

    resources: tuple[str, ...]
    classes: Classes
    shapes: Shapes
    kinds: Ints
    shape_of: Ints
    admission_of: Ints
    refusals: tuple[tuple[Constraint | None, ...], ...]
    eligible: Bools
    stays: Bools
    places: tuple[Place, ...]
    place_of: Ints
    members: tuple[NodeView, ...]  # the first node of each class
    keyed: Keyed
    fresh: Ints  # nodes that were not keyed before, or otherwise

    def refusal(self, workload: int, kind: int) -> Constraint | None:
        return self.refusals[int(self.admission_of[workload])][kind]


def group(intake: Intake, keyed: Keyed = NOTHING_KEYED) -> Groups:
    """Nodes that no workload can tell apart, and workloads that ask for the same of the same nodes."""
    alike: dict[Look, Look] = {}
    looks = {}
    for need in intake.needs:
        seen = keyed.looks.get(id(need))
        if seen is None:
            look = _look(need)
            seen = need, alike.setdefault(look, look)
        looks[id(need)] = seen
    distinct = set({id(look): look for _, look in looks.values()}.values())
    extended = sorted(frozenset[str]().union(*(look.extended for look in distinct)))
    ephemeral = [EPHEMERAL] if any(look.ephemeral for look in distinct) else []
    resources = (CPU, MEMORY, PODS, *ephemeral, *extended)  # only what some workload asks for: the rest cannot bind
    labels = tuple(sorted(frozenset[str]().union(*(look.labels for look in distinct))))
    known = keyed if (keyed.resources, keyed.labels) == (resources, labels) else NOTHING_KEYED
    shared = dict(known.shared)
    pools = [*(pool.name for pool in intake.pools), ""]
    ids = list(map(id, intake.nodes))
    nodes: list[_Node] = []
    fresh: list[int] = []
    for index, (found, number) in enumerate(zip(map(known.nodes.get, ids), intake.of_pool, strict=True)):
        if found is None or found[1] != pools[number]:
            node, pool = intake.nodes[index], pools[number]
            key = _class_key(node, pool, node.name in intake.grown, resources, labels)
            found = node, pool, shared.setdefault(key, key)
            fresh.append(index)
        nodes.append(found)
    of_node = list(map(itemgetter(2), nodes))
    keys = dict(zip(map(id, of_node), of_node, strict=True))
    class_keys = sorted(keys.values())
    numbers = {id(key): number for number, key in enumerate(class_keys)}
    kinds = np.array(list(map(numbers.__getitem__, map(id, of_node))), np.int64)
    firsts = np.unique(kinds, return_index=True)[1].tolist()
    members = tuple(intake.nodes[first] for first in firsts)
    class_places = [Place(key[0], key[1]) for key in class_keys]
    places = tuple(sorted(set(class_places)))
    capacity = [key[4] for key in class_keys]
    classes = Classes(
        np.array(capacity, np.int64).reshape(len(members), len(resources)),
        np.array([member.gpus for member in members], np.int64),
    )
    needs = {}
    for need in intake.needs:
        asked = known.needs.get(id(need))
        if asked is None:
            ask, admission = _ask_key(need, resources), _admission_key(need)
            asked = need, shared.setdefault(ask, ask), shared.setdefault(admission, admission)
        needs[id(need)] = asked
    models = {id(key): need for need, _, key in reversed(needs.values())}  # the first need of each column
    columns = {key: number for number, key in enumerate(models)}
    admission_of = np.array([columns[id(key)] for _, _, key in needs.values()], np.int64)
    used = {**keys, **{id(key): key for _, *both in needs.values() for key in both}}
    refusals = tuple(
        tuple(refusal(need, member, key[0]) for member, key in zip(members, class_keys, strict=True))
        for need in models.values()
    )
    size = (len(columns), len(members))
    eligible = [[selected(need, member.labels) for member in members] for need in models.values()]
    stays = [[each in (None, Constraint.READY) for each in refused] for refused in refusals]
    shapes, shape_of = _shapes(intake, [ask for _, ask, _ in needs.values()], admission_of, refusals, classes)
    return Groups(
        resources, classes, shapes, kinds, shape_of, admission_of, refusals,
        np.array(eligible, np.bool_).reshape(size), np.array(stays, np.bool_).reshape(size), places,
        np.array([places.index(place) for place in class_places], np.int64)[kinds], members,
        Keyed(looks, resources, labels, dict(zip(ids, nodes, strict=True)), needs, {key: key for key in used.values()}),
        np.array(fresh, np.int64),
    )  # fmt: skip


def amounts_of(amount: Resources, resources: Sequence[str]) -> list[int]:
    """In the order of `resources`; a pod counts as none here."""
    known = {CPU: amount.cpu, MEMORY: amount.memory, EPHEMERAL: amount.ephemeral, **dict(amount.extended)}
    return [known.get(name, 0) for name in resources]


def _look(need: WorkloadNeed) -> Look:
    """What the workload looks at. A hostname makes every node a class of its own, so only where it is named."""
    named = set(need.node_selector)
    for terms in (need.node_affinity, [term for _, term in need.preferred]):
        named.update([requirement.key for term in terms for requirement in term])
    domains = {rule.topology_key for rules in (need.spreads, need.affinities) for rule in rules} - {HOSTNAME}
    extended = frozenset(name for name, amount in need.requests.extended if amount)
    return Look(need.requests.ephemeral > 0, extended, frozenset(named | domains))


def _class_key(node: NodeView, pool: str, grown: bool, resources: Sequence[str], labels: Sequence[str]) -> Key:
    amounts = amounts_of(node.allocatable, resources)
    amounts[resources.index(PODS)] = node.pods
    seen = tuple((key, node.labels[key]) for key in labels if key in node.labels)
    taints = tuple((taint.key, taint.value, taint.effect.value) for taint in node.taints)
    up = node.ready and node.schedulable
    return (pool, zone(node), seen, taints, tuple(amounts), node.gpus, node.gpu_model, up, grown)


def _ask_key(need: WorkloadNeed, resources: Sequence[str]) -> Key:
    amounts = amounts_of(need.requests, resources)
    amounts[resources.index(PODS)] = 1
    return (tuple(amounts), *((need.gpu.count, need.gpu.milli) if need.gpu.count else (0, 0)))


def _admission_key(need: WorkloadNeed) -> Key:
    models = need.gpu.models if need.gpu.count else frozenset()
    return (
        need.pool, need.zones, need.volume_zones, tuple(sorted(need.node_selector.items())), need.node_affinity,
        need.tolerations, models,
    )  # fmt: skip


def _shapes(
    intake: Intake,
    asks: Sequence[Key],
    admission_of: Ints,
    refusals: Sequence[Sequence[Constraint | None]],
    classes: Classes,
) -> tuple[Shapes, Ints]:
    kinds, resources = classes.capacity.shape
    allowed = [tuple(each is None for each in refused) for refused in refusals]
    nowhere = (False,) * kinds
    drafts = [
        (id(ask), -1 if need.identity in intake.refused else column, need.priority)
        for need, ask, column in zip(intake.needs, asks, admission_of.tolist(), strict=True)
    ]
    by_id = {id(ask): ask for ask in asks}
    keys = {
        draft: (*by_id[draft[0]], allowed[draft[1]] if draft[1] >= 0 else nowhere, draft[2]) for draft in set(drafts)
    }
    rows = sorted(set(keys.values()))
    numbers = {key: number for number, key in enumerate(rows)}
    of_draft = {draft: numbers[key] for draft, key in keys.items()}
    return Shapes(
        np.array([row[0] for row in rows], np.int64).reshape(len(rows), resources),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.bool_).reshape(len(rows), kinds).T,
    ), np.array([of_draft[draft] for draft in drafts], np.int64)
