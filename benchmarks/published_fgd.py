"""Fragmentation gradient descent as it was published, with what its simulator decides beside the paper's formula.

After "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent" (USENIX ATC 2023):
a pod goes where the GPU that an average pod cannot use grows least. The published figures come only if four things
are as in their simulator: scores are whole numbers, 100 / (1 + e^-gradient) cut off; of equal scores the first node
wins, in an order of the nodes that is random but the same for all pods of a run; the average is over the most frequent
pods only, 95 % of all, which are known beforehand; and memory does not count.
"""

from collections import Counter
from random import Random
from typing import Final

import numpy as np

from reconciler.planner.shapes import DEVICE, Bools, Classes, Floats, Ints, Shapes

FREQUENT: Final = 0.95
CPU: Final = 0


class PublishedFgd:
    """Places pods one after another. `pods` are the shapes of all of the trace, `kinds` the classes of the nodes."""

    def __init__(self, classes: Classes, shapes: Shapes, kinds: Ints, pods: Ints, random: Random) -> None:
        order = list(range(len(kinds)))
        random.shuffle(order)
        self._shapes, self._kind = shapes, kinds[order]
        self._cpu = classes.capacity[self._kind, CPU]
        devices = np.arange(int(classes.gpus.max()))
        self._devices = np.where(devices < classes.gpus[self._kind][:, None], DEVICE, 0)
        self._expect(pods)
        self._fragments = self._fragmented(self._cpu, self._devices, self._kind)
        self._scores: dict[int, tuple[Ints, Ints]] = {}  # by shape: of each node, and on which device
        self._changed: list[int] = []  # nodes, one after another
        self._known: dict[int, int] = {}  # by shape: how many of these changes its scores know

    def place(self, shape: int) -> bool:
        """Whether the pod found a node."""
        if shape not in self._scores:
            self._scores[shape] = self._scored(shape, np.arange(len(self._kind)))
        elif fresh := sorted(set(self._changed[self._known[shape] :])):
            for row, now in zip(self._scores[shape], self._scored(shape, np.array(fresh)), strict=True):
                row[fresh] = now
        self._known[shape] = len(self._changed)
        score, device = self._scores[shape]
        node = int(score.argmax())
        if score[node] < 0:
            return False
        count, milli = int(self._shapes.count[shape]), int(self._shapes.milli[shape])
        held = [int(device[node])] if device[node] >= 0 else np.flatnonzero(self._devices[node] >= milli)[:count]
        self._devices[node, held] -= milli
        self._cpu[node] -= self._shapes.request[shape, CPU]
        one = slice(node, node + 1)
        self._fragments[one] = self._fragmented(self._cpu[one], self._devices[one], self._kind[one])
        self._changed.append(node)
        return True

    def _expect(self, pods: Ints) -> None:
        shapes, often = self._shapes, Counter[tuple[int, int, int, bytes]]()
        rows: dict[tuple[int, int, int, bytes], int] = {}
        for shape, number in zip(*np.unique(pods, return_counts=True), strict=True):
            what = int(shapes.request[shape, CPU]), int(shapes.milli[shape]), int(shapes.count[shape])
            key = (*what, shapes.allowed[:, shape].tobytes())  # alike but for their memory
            often[key] += int(number)
            rows[key] = int(shape)
        usual, total = dict[tuple[int, int, int, bytes], int](), 0
        for key, number in sorted(often.items(), key=lambda item: (item[1], item[0]), reverse=True):
            usual[key] = number
            total += number
            if total >= FREQUENT * len(pods):
                break
        gpu = [key for key in usual if key[2]]
        self._needs = np.array([key[0] for key in gpu])
        self._may: Bools = shapes.allowed[:, [rows[key] for key in gpu]]
        asks = sorted({(key[2], key[1]) for key in gpu})
        self._count, self._milli = np.array(asks).T
        self._share = np.zeros((len(gpu), len(asks)))
        for row, key in enumerate(gpu):
            self._share[row, asks.index((key[2], key[1]))] = usual[key] / total

    def _fragmented(self, cpu: Ints, devices: Ints, kind: Ints) -> Floats:
        """Free thousandths that an average pod cannot use."""
        demand = ((cpu[:, None] >= self._needs) & self._may[kind]) @ self._share
        enough = devices[:, None, :] >= self._milli[None, :, None]
        usable = np.where(enough.sum(axis=2) >= self._count, (enough * devices[:, None, :]).sum(axis=2), 0)
        lost: Floats = devices.sum(axis=1) - (demand * usable).sum(axis=1)
        return lost

    def _scored(self, shape: int, nodes: Ints) -> tuple[Ints, Ints]:
        """Of each of the nodes: the score, -1 where it does not fit, and the device of a pod with a share of one."""
        shapes, kind = self._shapes, self._kind[nodes]
        count, milli = int(shapes.count[shape]), int(shapes.milli[shape])
        cpu, devices = self._cpu[nodes] - shapes.request[shape, CPU], self._devices[nodes]
        fits = (cpu >= 0) & shapes.allowed[kind, shape] & ((devices >= milli).sum(axis=1) >= count)
        scores, chosen = np.full(len(nodes), -1), np.full(len(nodes), -1)
        shared = count == 1 and milli < DEVICE
        for device in range(devices.shape[1]) if shared else (-1,):
            rows = np.flatnonzero(fits & (devices[:, device] >= milli)) if shared else np.flatnonzero(fits)
            after = devices[rows]
            if shared:
                after[:, device] -= milli
            else:
                held = (after >= milli).cumsum(axis=1)
                after[(after >= milli) & (held <= count)] -= milli
            grown = self._fragmented(cpu[rows], after, kind[rows]) - self._fragments[nodes[rows]]
            score = np.floor(100 / (1 + np.exp(grown / DEVICE))).astype(np.int64)
            better = score > scores[rows]
            scores[rows[better]], chosen[rows[better]] = score[better], device
        return scores, chosen
