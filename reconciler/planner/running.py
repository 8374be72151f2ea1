"""The pods that run, as arrays: whose they are and where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import PodView
from reconciler.planner.shapes import Bools, Ints

_SPARE: Final = 1000  # names that nothing is called by any more and that do no harm


@dataclass(frozen=True, slots=True)
class Running:
    """By pod: the number of its `owner` (-1: none), that of its `node`'s name, whether it has a GPU.

    `order` sorts the pods by their `id`, `ids`: what was there before is found by it (see `intake.Known`).
    """

    pods: tuple[PodView, ...]
    owner: Ints
    node: Ints
    gpu: Bools
    owners: Mapping[Identity, int]
    names: Mapping[str, int]
    ids: Ints
    order: Ints

    def on(self, at: Mapping[str, int]) -> Ints:
        """The node of each pod by its number in `at`; -1 where it is not there."""
        found: Ints = np.array([at.get(name, -1) for name in self.names], np.int64)[self.node]
        return found

    def of(self, numbers: Mapping[Identity, int]) -> Ints:
        """The workload of each pod by its number; -1 where it is of none of them."""
        found: Ints = np.array([*(numbers.get(owner, -1) for owner in self.owners), -1], np.int64)[self.owner]
        return found

    def in_order(self, rows: Ints) -> list[int]:
        """These pods, those with GPUs last and by name: which devices are taken may depend on who comes first.

        Everything else about pods is a sum.
        """
        found: list[int] = rows[~self.gpu[rows]].tolist()
        names = [(self.pods[row].namespace, self.pods[row].name, row) for row in rows[self.gpu[rows]].tolist()]
        return found + [row for _, _, row in sorted(names)]


_NONE = np.zeros(0, np.int64)
NOTHING_RUNS: Final = Running((), _NONE, _NONE, np.zeros(0, np.bool_), {}, {}, _NONE, _NONE)


def running(pods: Iterable[PodView], known: Running = NOTHING_RUNS) -> Running:
    """Of pods that are the very objects that they were, what is known is taken."""
    every = tuple(pods)
    ids = np.fromiter(map(id, every), np.int64, len(every))
    if len(known.names) > 2 * np.count_nonzero(np.bincount(known.node)) + _SPARE:
        known = NOTHING_RUNS
    owner, node, gpu = np.zeros(len(every), np.int64), np.zeros(len(every), np.int64), np.zeros(len(every), np.bool_)
    found = np.zeros(len(every), np.bool_)
    if len(known.ids):
        place = np.minimum(np.searchsorted(known.ids, ids), len(known.ids) - 1)
        found = known.ids[place] == ids
        rows = known.order[place[found]]
        owner[found], node[found], gpu[found] = known.owner[rows], known.node[rows], known.gpu[rows]
    owners, names = dict(known.owners), dict(known.names)
    for row in np.flatnonzero(~found).tolist():
        pod = every[row]
        owner[row] = -1 if pod.owner is None else owners.setdefault(pod.owner, len(owners))
        node[row] = names.setdefault(pod.node, len(names))
        gpu[row] = pod.gpu.count > 0
    order = np.argsort(ids, kind="stable")
    return Running(every, owner, node, gpu, owners, names, ids[order], order)
