"""States of nodes, each evaluated once: how well a shape of replica fits a node that looks like this.

Nodes with the same class, the same free resources and the same free GPU thousandths are interchangeable, so what is
worked out for one holds for all. A state is a row of arrays; nodes hold the number of their state. Placing a replica
gives a node another state, mostly one that some node has had before.

Near-ties of fragmentation are decided by best fit, which matters as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reconciler.planner.fragmentation import Fragmentation
from reconciler.planner.shapes import DEVICE, Bools, Classes, Floats, Ints, Shapes

Numbers = NDArray[np.int32]  # of states

WHOLE_NODE: Final = -2  # no single device was chosen: none was asked for, or several
GRADIENT: Final = 0.125  # of the term, for a whole device that became a fragment
PATTERN: Final = 0.75  # for one that can no longer be filled as well as before
_FIRST: Final = 1024


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the terms that a state decides by itself."""

    fit: float
    balance: float
    fragmentation: float


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of one shape: which of the asked-for states each belongs to, and its terms."""

    owner: Ints
    level: Ints
    fit: Floats
    balance: Floats
    fragmentation: Floats


class States:
    """The states seen so far and, per shape and weights that were asked for, the score in each: minus infinity where it
    does not fit, and NaN where nobody asked yet."""

    def __init__(self, classes: Classes, shapes: Shapes, weights: Weights) -> None:
        self.classes, self.shapes, self.weights = classes, shapes, weights
        self.width = max(int(classes.gpus.max(initial=0)), 1)
        self.size = 0
        self.free = np.zeros((_FIRST, classes.capacity.shape[1]), np.int64)
        self.devices = np.zeros((_FIRST, self.width), np.int64)  # free thousandths, falling
        self.kind = np.zeros(_FIRST, np.int64)
        self._fragments = np.zeros(_FIRST)
        self._numbers: dict[bytes, int] = {}
        self._scores: dict[tuple[int, Weights], Floats] = {}
        self._levels: dict[tuple[int, Weights], NDArray[np.int16]] = {}
        peak = np.maximum(classes.capacity.max(axis=0, initial=0), 1)
        share = 0.25 if classes.gpus.any() else 0.5
        self._room = share / peak[:2]  # cpu and memory; best fit looks at no other resource
        self._room_gpu = 0.5 / (self.width * DEVICE)
        self.expect(np.zeros(len(shapes.request), np.int64))

    def expect(self, demand: Ints) -> None:
        """Measure fragmentation against replicas of each shape in these numbers. What was scored is forgotten."""
        self._fragmentation = Fragmentation(self.shapes, demand)
        seen = slice(0, self.size)
        self._fragments[seen] = self._fragmentation.lost(self.free[seen], self.devices[seen], self.kind[seen])
        self._scores.clear()
        self._levels.clear()

    def number(self, kind: int, free: Ints, devices: list[int]) -> int:
        """The number of the state that looks like this."""
        row = np.zeros(self.width, np.int64)
        row[: len(devices)] = sorted(devices, reverse=True)
        key = np.concatenate([[kind], free, row]).tobytes()
        known = self._numbers.get(key)
        if known is not None:
            return known
        if self.size == len(self.free):
            self._grow()
        new = self.size
        self._numbers[key] = new
        self.free[new], self.devices[new], self.kind[new] = free, row, kind
        one = slice(new, new + 1)
        self._fragments[one] = self._fragmentation.lost(self.free[one], self.devices[one], self.kind[one])
        self.size += 1
        return new

    def numbers(self, kinds: Ints, free: Ints, devices: Ints) -> Numbers:
        """The same for many nodes at once; `devices` (nodes × width) are sorted, falling."""
        table = np.ascontiguousarray(np.column_stack([kinds, free, devices]), np.int64)
        keys: list[Any] = table.view(np.dtype((np.void, table.shape[1] * table.itemsize))).reshape(-1).tolist()
        known, fresh = self._numbers, list[int]()
        for row, key in enumerate(keys):
            if key not in known:
                known[key] = self.size + len(fresh)
                fresh.append(row)
        if fresh:
            while self.size + len(fresh) > len(self.free):
                self._grow()
            new = slice(self.size, self.size + len(fresh))
            self.free[new], self.devices[new], self.kind[new] = free[fresh], devices[fresh], kinds[fresh]
            self._fragments[new] = self._fragmentation.lost(self.free[new], self.devices[new], self.kind[new])
            self.size += len(fresh)
        return np.array(list(map(known.__getitem__, keys)), np.int32)

    def score(self, shape: int, nodes: Numbers, weights: Weights | None = None) -> Floats:
        """The score of the shape on nodes in these states; minus infinity where it does not fit. `weights` are other
        than everybody's."""
        weights = weights or self.weights
        row = self._row(shape, weights)
        score: Floats = row[nodes]
        unknown = np.isnan(score)
        if unknown.any():
            self._evaluate(shape, np.unique(nodes[unknown]), weights)
            score = row[nodes]
        return score

    def level(self, shape: int, state: int, weights: Weights | None = None) -> int:
        """What the device that was chosen has free, for a shape of one device; its score was asked for before."""
        return int(self._levels[shape, weights or self.weights][state])

    def capacity(self, shape: int, states: Numbers) -> Ints:
        """How many replicas of the shape fit, one by one, into nodes in these states."""
        room = np.full(len(states), np.iinfo(np.int64).max)
        for resource, asked in enumerate(self.shapes.request[shape].tolist()):
            if asked > 0:
                np.minimum(room, self.free[states, resource] // asked, out=room)
        count, milli = int(self.shapes.count[shape]), int(self.shapes.milli[shape])
        if count == 1:
            room = np.minimum(room, (self.devices[states] // milli).sum(axis=1))
        elif count:
            room = np.minimum(room, (self.devices[states] >= milli).sum(axis=1) // count)
        room[~self.shapes.allowed[self.kind[states], shape]] = 0
        fitting: Ints = np.maximum(room, 0)
        return fitting

    def fits(self, shape: int, states: Numbers) -> Bools:
        """Whether one replica of the shape fits nodes in these states."""
        fits: Bools = self.shapes.allowed[self.kind[states], shape]
        for resource, asked in enumerate(self.shapes.request[shape].tolist()):
            if asked:
                fits &= self.free[states, resource] >= asked
        if count := int(self.shapes.count[shape]):
            fits &= (self.devices[states] >= int(self.shapes.milli[shape])).sum(axis=1) >= count
        return fits

    def terms(self, shape: int, states: Numbers) -> Scored:
        """The terms of every way to place one replica into nodes in these states, where it fits."""
        shapes = self.shapes
        free, devices = self.free[states], self.devices[states]
        count, milli = int(shapes.count[shape]), int(shapes.milli[shape])
        owner = np.flatnonzero(self.fits(shape, states))
        level = np.full(len(owner), WHOLE_NODE)
        after, lost = devices[owner], np.zeros(len(owner))
        if count == 1:
            owner, level, after = self._single(owner, devices, milli)
            lost = self._fragmentation.wasted(level, milli)
        elif count > 1:
            after = self._several(after, count, milli)
        left = free[owner] - shapes.request[shape]
        return Scored(owner, level, *self._terms(shape, states[owner], left, after, lost))

    def _terms(
        self, shape: int, states: Numbers, left: Ints, after: Ints, lost: Floats
    ) -> tuple[Floats, Floats, Floats]:
        kind = self.kind[states]
        total = after.sum(axis=1)
        fit = 1.0 - (left[:, 0] * self._room[0] + left[:, 1] * self._room[1] + total * self._room_gpu)
        capacity = np.maximum(self.classes.capacity[kind][:, :2], 1)
        used = 1.0 - left[:, :2] / capacity
        gpus = self.classes.gpus[kind]
        with_gpu = np.where(gpus > 0, 1.0 - total / np.maximum(gpus * DEVICE, 1), used[:, 0])
        cpu, memory = used[:, 0], used[:, 1]
        most, least = np.maximum(np.maximum(cpu, memory), with_gpu), np.minimum(np.minimum(cpu, memory), with_gpu)
        balance = 1.0 - (most - least)
        grown = self._fragmentation.lost(left, after, kind) - self._fragments[states]
        # Half is neutral: the gradient may be as low as minus what the replica takes, when it fills a fragment.
        grown /= DEVICE * max(int(self.shapes.count[shape]), 1)
        fragmentation = 0.5 - GRADIENT * grown - PATTERN * lost
        return np.clip(fit, 0, 1), np.clip(balance, 0, 1), np.clip(fragmentation, 0, 1)

    def best(self, shape: int, states: Numbers, weights: Sequence[Weights]) -> list[tuple[float, float, float]]:
        """Fit, balance and fragmentation in each of these states, in all of which it fits: of the devices that score
        best by the weights of each."""
        scored = self.terms(shape, states)
        terms = np.column_stack([scored.fit, scored.balance, scored.fragmentation])
        order = np.argsort(scored.owner, kind="stable")
        ends = np.searchsorted(scored.owner[order], np.arange(len(states) + 1))
        found = []
        for begin, end, of in zip(ends[:-1].tolist(), ends[1:].tolist(), weights, strict=True):
            row = order[begin]
            if end - begin > 1:
                row = max(order[begin:end], key=lambda row: float(_total(of, *terms[row])))
            fit, balance, fragmentation = terms[row].tolist()
            found.append((fit, balance, fragmentation))
        return found

    def _evaluate(self, shape: int, states: Numbers, weights: Weights) -> None:
        scored = self.terms(shape, states)
        totals = _total(weights, scored.fit, scored.balance, scored.fragmentation)
        best = np.full(len(states), -np.inf)
        np.maximum.at(best, scored.owner, totals)
        self._scores[shape, weights][states] = best
        if int(self.shapes.count[shape]) != 1:
            return
        winners = np.flatnonzero(totals == best[scored.owner])[::-1]  # of equals, the first is written last
        self._levels[shape, weights][states[scored.owner[winners]]] = scored.level[winners]

    def _row(self, shape: int, weights: Weights) -> Floats:
        """The scores of one shape, with room for every state."""
        key = shape, weights
        row = self._scores.get(key)
        if row is None or len(row) < self.size:
            old = 0 if row is None else len(row)
            grown = np.full(len(self.free), np.nan)
            if row is not None:
                grown[:old] = row
            row = self._scores[key] = grown
            if int(self.shapes.count[shape]) == 1:
                levels = np.full(len(self.free), WHOLE_NODE, np.int16)
                if old:
                    levels[:old] = self._levels[key]
                self._levels[key] = levels
        return row

    def _single(self, owner: Ints, devices: Ints, milli: int) -> tuple[Ints, Ints, Ints]:
        """One candidate for each different amount that a device of the node has free."""
        owners, levels, after = [], [], []
        for column in range(self.width):
            level = devices[owner, column]
            use = level >= milli
            if column:
                use &= level != devices[owner, column - 1]
            rows = devices[owner[use]]
            rows[:, column] -= milli
            owners.append(owner[use])
            levels.append(level[use])
            after.append(rows)
        return np.concatenate(owners), np.concatenate(levels), np.concatenate(after)

    def _several(self, devices: Ints, count: int, milli: int) -> Ints:
        """The fullest devices that have enough."""
        after = devices.copy()
        left = np.full(len(after), count)
        for column in range(self.width - 1, -1, -1):
            use = (after[:, column] >= milli) & (left > 0)
            after[use, column] -= milli
            left -= use
        return after

    def _grow(self) -> None:
        spare = np.zeros_like(self.free), np.zeros_like(self.devices), np.zeros_like(self.kind)
        self.free = np.concatenate([self.free, spare[0]])
        self.devices = np.concatenate([self.devices, spare[1]])
        self.kind = np.concatenate([self.kind, spare[2]])
        self._fragments = np.concatenate([self._fragments, np.zeros_like(self._fragments)])


def _total(weights: Weights, fit: Floats, balance: Floats, fragmentation: Floats) -> Floats:
    total: Floats = weights.fragmentation * fragmentation + weights.fit * fit + weights.balance * balance
    return total
