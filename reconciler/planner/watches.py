"""Pods that rules among replicas look at, counted by the domains of a node label.

A count is worked out when somebody asks for it, from where replicas are, and kept from then on: most of thousands of
rules concern nobody who is to be placed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from reconciler.kube.selector import LabelSelector, Operator
from reconciler.model.cluster_view import NodeView
from reconciler.planner.grouping import Groups
from reconciler.planner.holdings import Holdings
from reconciler.planner.shapes import Ints


class Watch(NamedTuple):
    """Pods of some namespaces that a selector matches, counted by the domains of one label."""

    key: str
    namespaces: frozenset[str]
    selector: LabelSelector


@dataclass(slots=True)
class _Tally:
    """`domain` of each node, -1 where it has none; the workloads and the nodes of others' pods that count."""

    domain: Ints
    size: int
    workloads: list[int]
    foreign: list[int]
    counts: Ints | None = None

    def add(self, nodes: Ints, counts: Ints) -> None:
        if self.counts is not None:
            domains = self.domain[nodes]
            known = domains >= 0
            np.add.at(self.counts, domains[known], counts[known])

    def read(self, holdings: Holdings) -> Ints:
        if self.counts is None:
            self.counts = np.zeros(self.size, np.int64)
            for workload in self.workloads:
                self.add(*holdings.arrays(workload))
            self.add(np.array(self.foreign, np.int64), np.ones(len(self.foreign), np.int64))
        return self.counts


class Watches:
    """Numbered as they are first asked for; all of them before any pod is `attend`ed to."""

    def __init__(self, nodes: Sequence[NodeView], groups: Groups, holdings: Holdings) -> None:
        self._nodes, self._groups, self._holdings = nodes, groups, holdings
        self._numbers: dict[Watch, int] = {}
        self._keys: list[str] = []
        self._domains: dict[str, tuple[Ints, int]] = {}
        self._matching: list[_Tally] = []
        self._away: list[_Tally] = []  # replicas that keep those away
        self._selectors: dict[str, _Selectors] = {}

    def number(self, watch: Watch) -> int:
        number = self._numbers.setdefault(watch, len(self._numbers))
        if number == len(self._keys):
            self._keys.append(watch.key)
            domain, size = self._of_key(watch.key)
            self._matching.append(_Tally(domain, size, [], []))
            self._away.append(_Tally(domain, size, [], []))
            for namespace in watch.namespaces:
                self._selectors.setdefault(namespace, _Selectors()).add(number, watch.selector)
        return number

    def attend(self, namespace: str, labels: Mapping[str, str]) -> list[int]:
        """The watches that such a pod counts for."""
        selectors = self._selectors.get(namespace)
        return selectors.matching(labels) if selectors else []

    def concern(self, workload: int, counted: Iterable[int], away: Iterable[int]) -> None:
        """Replicas of the workload count for the ones, and keep away what the others watch."""
        for watch in counted:
            self._matching[watch].workloads.append(workload)
        for watch in away:
            self._away[watch].workloads.append(workload)

    def foreign(self, node: int, counted: Iterable[int], away: Iterable[int]) -> None:
        """A pod that is not ours is on the node."""
        for watch in counted:
            self._matching[watch].foreign.append(node)
        for watch in away:
            self._away[watch].foreign.append(node)

    def private(self, watch: int, workload: int) -> bool:
        """Whether nobody but replicas of the workload counts for it, or keeps away what it watches."""
        counted, away = self._matching[watch], self._away[watch]
        return (
            counted.workloads == [workload]
            and set(away.workloads) <= {workload}
            and not (counted.foreign or away.foreign)
        )

    def key(self, watch: int) -> str:
        return self._keys[watch]

    def size(self, watch: int) -> int:
        """How many domains there are."""
        return self._matching[watch].size

    def domain(self, watch: int) -> Ints:
        return self._matching[watch].domain

    def counts(self, watch: int) -> Ints:
        """Pods by domain."""
        return self._matching[watch].read(self._holdings)

    def kept_away(self, watch: int) -> bool:
        """Whether anybody keeps away what is watched, once placed."""
        return bool(self._away[watch].workloads or self._away[watch].foreign)

    def away(self, watch: int) -> Ints | None:
        """By domain, those that keep away what is watched; None where there are none."""
        if not self.kept_away(watch):
            return None
        counts = self._away[watch].read(self._holdings)
        return counts if counts.any() else None

    def add(self, counted: Iterable[int], away: Iterable[int], nodes: Ints, counts: Ints) -> None:
        """So many more pods on these nodes."""
        for watch in counted:
            self._matching[watch].add(nodes, counts)
        for watch in away:
            self._away[watch].add(nodes, counts)

    def _of_key(self, key: str) -> tuple[Ints, int]:
        """The domain of each node, numbered by name, and how many there are."""
        found = self._domains.get(key)
        if found is None:
            if key in self._groups.keyed.labels:  # nodes of one class agree on it
                domain, size = _domains([member.labels.get(key) for member in self._groups.members])
                found = domain[self._groups.kinds], size
            else:
                found = _domains([node.labels.get(key) for node in self._nodes])
            self._domains[key] = found
        return found


def _domains(names: list[str | None]) -> tuple[Ints, int]:
    """The number of each name, -1 where there is none, and how many there are."""
    ordered: list[str] = sorted(dict.fromkeys([name for name in names if name is not None]))
    if ordered == names:
        return np.arange(len(names)), len(names)
    values = {name: number for number, name in enumerate(ordered)}
    return np.array([-1 if name is None else values[name] for name in names], np.int64), len(values)


class _Selectors:
    """Selectors of one namespace, found by a label that they ask for, so that few are tried."""

    def __init__(self) -> None:
        self._by_label: dict[tuple[str, str], list[int]] = {}  # those that ask for no more
        self._tried: dict[tuple[str, str], list[tuple[int, LabelSelector]]] = {}
        self._others: list[tuple[int, LabelSelector]] = []

    def add(self, number: int, selector: LabelSelector) -> None:
        first = next((each for each in selector.requirements if each.operator is Operator.IN), None)
        if first is None or selector.nothing:
            self._others.append((number, selector))
            return
        for value in first.values:
            if len(selector.requirements) == 1:
                self._by_label.setdefault((first.key, value), []).append(number)
            else:
                self._tried.setdefault((first.key, value), []).append((number, selector))

    def matching(self, labels: Mapping[str, str]) -> list[int]:
        found = [number for number, selector in self._others if selector.matches(labels)]
        for label in labels.items():
            found += self._by_label.get(label, ())
            if self._tried:
                found += [number for number, selector in self._tried.get(label, ()) if selector.matches(labels)]
        return sorted(found)
