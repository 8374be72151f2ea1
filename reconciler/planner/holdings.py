"""How many replicas of each workload are on which node: compact where nothing changed, open where it does."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reconciler.planner.shapes import Bools, Ints


@dataclass(frozen=True, slots=True)
class Standing:
    """Replicas by workload, then by node: those of workload w are the rows from `starts[w]` to `starts[w + 1]`."""

    starts: Ints
    nodes: Ints
    counts: Ints

    def of(self, workload: int) -> tuple[Ints, Ints]:
        """Its nodes, in their order, and how many are on each."""
        rows = slice(int(self.starts[workload]), int(self.starts[workload + 1]))
        return self.nodes[rows], self.counts[rows]

    def workloads(self) -> Ints:
        """The workload of each row."""
        found: Ints = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        return found

    def totals(self) -> Ints:
        """Replicas of each workload."""
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])
        found: Ints = np.diff(sums[self.starts])
        return found

    def where(self, rows: Bools) -> "Standing":
        """Only these rows."""
        return standing(self.workloads()[rows], self.nodes[rows], self.counts[rows], len(self.starts) - 1)


def standing(workloads: Ints, nodes: Ints, counts: Ints, total: int) -> Standing:
    """Of rows that are sorted by workload, `total` workloads in all."""
    starts = np.searchsorted(workloads, np.arange(total + 1))
    return Standing(starts, nodes, counts)


class Holdings:
    """Begins as it stood; a workload that changes is opened."""

    def __init__(self, begin: Standing) -> None:
        self.begin = begin
        self._open: dict[int, dict[int, int]] = {}
        self._read: dict[int, dict[int, int]] = {}

    @property
    def opened(self) -> list[int]:
        """Workloads of which anything changed."""
        return list(self._open)

    def of(self, workload: int) -> Mapping[int, int]:
        """Replicas by node."""
        found = self._open.get(workload, self._read.get(workload))
        if found is None:
            nodes, counts = self.begin.of(workload)
            found = self._read[workload] = dict(zip(nodes.tolist(), counts.tolist(), strict=True))
        return found

    def arrays(self, workload: int) -> tuple[Ints, Ints]:
        """The same as arrays, in the order of the nodes."""
        found = self._open.get(workload)
        if found is None:
            return self.begin.of(workload)
        nodes = sorted(found)
        return np.array(nodes, np.int64), np.array([found[node] for node in nodes], np.int64)

    def add(self, workload: int, node: int, count: int) -> None:
        """So many more on the node; fewer where negative."""
        found = self._open.get(workload)
        if found is None:
            found = self._open[workload] = dict(self.of(workload))
            del self._read[workload]
        now = found.get(node, 0) + count
        if now:
            found[node] = now
        else:
            del found[node]

    def standing(self) -> Standing:
        """As it is now."""
        if not self._open:
            return self.begin
        total = len(self.begin.starts) - 1
        closed = np.ones(total, np.bool_)
        closed[list(self._open)] = False
        workloads = self.begin.workloads()
        rows = closed[workloads]
        parts = [self.arrays(workload) for workload in self._open]
        lengths = [len(nodes) for nodes, _ in parts]
        workloads = np.concatenate([workloads[rows], np.repeat(list(self._open), lengths)])
        nodes = np.concatenate([self.begin.nodes[rows], *(nodes for nodes, _ in parts)])
        counts = np.concatenate([self.begin.counts[rows], *(counts for _, counts in parts)])
        order = np.argsort(workloads, kind="stable")
        return standing(workloads[order], nodes[order], counts[order], total)
