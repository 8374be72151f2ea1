"""What a plan hands to the next one beside itself: what was worked out for single inputs, and its numbers.

It makes the next plan quicker and never other: without it the same comes out, byte for byte.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from reconciler.kube.names import Identity
from reconciler.model.plan import Plan, Share
from reconciler.planner.grouping import NOTHING_KEYED, Keyed
from reconciler.planner.holdings import Holdings, Standing, standing
from reconciler.planner.intake import MOST_REPLICAS, NOTHING_KNOWN, Intake, Known
from reconciler.planner.shapes import Bools, Ints

_NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Book:
    """`standing` is the `assignment` of its plan, over `identities` and the `nodes` as they were, made safe."""

    known: Known
    keyed: Keyed
    identities: tuple[Identity, ...]
    nodes: Mapping[str, int]
    assignment: Mapping[Identity, Mapping[str, int]]
    placements: Mapping[Identity, tuple[Share, ...]]
    standing: Standing

    def __reduce__(self) -> tuple[Callable[[], "Book"], tuple[()]]:
        """A copy would be about other objects: it comes out empty."""
        return _empty, ()


EMPTY = Book(NOTHING_KNOWN, NOTHING_KEYED, (), {}, {}, {}, Standing(np.zeros(1, np.int64), _NOTHING, _NOTHING))


def _empty() -> Book:
    return EMPTY


def book_of(plan: Plan) -> Book:
    """The book of a plan; an empty one where it has none, or one that is not about its assignment."""
    book = plan.book
    if not isinstance(book, Book) or book.assignment is not plan.assignment or book.placements is not plan.placements:
        return EMPTY
    return book


def planned(intake: Intake, book: Book, before: Mapping[Identity, Mapping[str, int]]) -> Standing:
    """What the plan before had found, on nodes that are still there and ready."""
    ready = np.array([*(node.ready for node in intake.nodes), False], np.bool_)
    total = len(intake.needs)
    if book.assignment is before:
        numbers = {need.identity: number for number, need in enumerate(intake.needs)}
        now = np.array([numbers.get(identity, -1) for identity in book.identities], np.int64)
        where = np.array(list(map(intake.at.get, book.nodes, repeat(-1))), np.int64)
        workloads, nodes, counts = book.standing.workloads(), book.standing.nodes, book.standing.counts
        workloads, nodes = now[workloads], where[nodes]
        there = (workloads >= 0) & ready[nodes]
        return standing(workloads[there], nodes[there], counts[there], total)
    found = [before.get(need.identity, {}) for need in intake.needs]
    nodes = np.array([intake.at.get(name, -1) for of_workload in found for name in of_workload], np.int64)
    counts = np.array([min(count, MOST_REPLICAS) for of_workload in found for count in of_workload.values()], np.int64)
    workloads = np.repeat(np.arange(total), [len(of_workload) for of_workload in found])
    there = (counts > 0) & ready[nodes]
    return standing(workloads[there], nodes[there], counts[there], total)


def unchanged(intake: Intake, fresh: Ints, book: Book, planned: Standing, homes: Standing, holdings: Holdings) -> Bools:
    """By workload, whether its replicas are just where the plan before had them, on nodes that are as they were.

    `fresh` are the nodes that are not; `planned` is what is left of that plan, `homes` that and what runs,
    `holdings` where they are now.
    """
    numbers = {identity: number for number, identity in enumerate(book.identities)}
    before = np.array([numbers.get(need.identity, -1) for need in intake.needs], np.int64)
    lengths, totals = np.append(np.diff(book.standing.starts), -1), np.append(book.standing.totals(), -1)
    begin = holdings.begin
    same: Bools = np.diff(planned.starts) == lengths[before]
    same &= np.diff(homes.starts) == lengths[before]
    same &= np.diff(begin.starts) == lengths[before]
    same &= begin.totals() == totals[before]
    same[holdings.opened] = False
    changed = np.zeros(len(intake.nodes), np.bool_)
    changed[fresh] = True
    same[begin.workloads()[changed[begin.nodes]]] = False
    return same
