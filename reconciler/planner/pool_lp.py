"""The linear program over whole classes of nodes: how many replicas of each shape may go where, and what room is worth.

    maximise Σ value[t] · x[t, c]   with   Σ_c x[t, c] ≤ demand[t]   and, for each class and each row of weights w,
    Σ_t w[t] · x[t, c] ≤ nodes in the class, in units of one node (or of one device)

A row of weights holds for every feasible packing of one node. Beside the plain shares of each resource those are the
dual feasible functions u^(k) of Fekete and Schepers (2001), x ↦ x where (k+1)·x is whole, else ⌊(k+1)·x⌋ / k, of
the shares: two replicas that each take more than half of a node do not fit one node, and so on. So the optimum is an
upper bound on every packing, and its reduced costs say what is lost by filling a class with a shape that others need
more: the scarcity term.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import highspy
import numpy as np

from reconciler.planner.shapes import DEVICE, Bools, Classes, Floats, Ints, Shapes

LEVELS: Final = range(1, 9)
_PRIMAL: Final = 4  # no flow at all is feasible: the primal simplex begins there


@dataclass(frozen=True, slots=True)
class Row:
    """Weights of the shapes, by one class: no node of it can hold more than `limit` (in the weights' own unit).

    `resource` where it is the plain share of one (-1 for GPUs): only those know what others have taken.
    """

    kind: int
    weights: Floats
    limit: float
    resource: int | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """`flow` and `reduced` are (shapes × classes); a reduced cost is what one replica there would cost in value."""

    objective: float
    flow: Floats
    reduced: Floats


@dataclass(frozen=True, slots=True)
class Merged:
    """Classes that differ in nothing that the program knows, as one: `of` each class, its number here."""

    classes: Classes
    shapes: Shapes
    nodes: Ints
    of: Ints

    def sums(self, rows: Floats) -> Floats:
        """Of numbers by class (classes × anything), those by class here."""
        found: Floats = np.zeros((len(self.nodes), rows.shape[1]))
        np.add.at(found, self.of, rows)
        return found


def merged(classes: Classes, shapes: Shapes, kinds: Ints) -> Merged:
    """Such as differ in their zone or in labels that change nothing."""
    table = np.column_stack([classes.capacity, classes.gpus, shapes.allowed])
    _, first, of = np.unique(table, axis=0, return_index=True, return_inverse=True)
    of = of.reshape(-1)
    return Merged(
        Classes(classes.capacity[first], classes.gpus[first]),
        Shapes(shapes.request, shapes.count, shapes.milli, shapes.allowed[first]),
        np.bincount(of[kinds], minlength=len(first)),
        of,
    )


def dual_feasible(amount: Ints, whole: int, level: int) -> Floats:
    """u^(level) of amount / whole, in exact whole numbers until the last division."""
    scaled = (level + 1) * amount
    share: Floats = np.where(scaled % whole == 0, amount / whole, (scaled // whole) / level)
    return share


def fitting(classes: Classes, shapes: Shapes) -> Bools:
    """(shapes × classes): whether one replica fits an empty node."""
    room = (shapes.request[:, None, :] <= classes.capacity[None]).all(axis=2)
    gpus = shapes.count[:, None] <= classes.gpus[None]
    fits: Bools = room & gpus & shapes.allowed.T
    return fits


def rows(classes: Classes, shapes: Shapes, levels: Sequence[int]) -> list[Row]:
    """The rows of one node of each class: plain shares first, then a dual feasible function a level."""
    found = []
    whole = shapes.count * (shapes.milli == DEVICE)
    for kind in range(len(classes.gpus)):
        capacity, gpus = classes.capacity[kind], int(classes.gpus[kind])
        for resource in np.flatnonzero(capacity > 0):
            amount, room = np.minimum(shapes.request[:, resource], capacity[resource] + 1), int(capacity[resource])
            found.append(Row(kind, amount / room, 1.0, int(resource)))
            found += [Row(kind, dual_feasible(amount, room, level), 1.0) for level in levels]
        if gpus:
            found.append(Row(kind, shapes.gpu / DEVICE, gpus, -1))
            found += [Row(kind, shapes.count * dual_feasible(shapes.milli, DEVICE, level), gpus) for level in levels]
            found += [Row(kind, dual_feasible(np.minimum(whole, gpus + 1), gpus, level), 1.0) for level in levels]
    return found


class PoolProgram:
    """One program, solved again and again with other demands. Single-threaded simplex: the same input, the same
    vertex."""

    def __init__(
        self, classes: Classes, shapes: Shapes, nodes: Ints, levels: Sequence[int] = LEVELS, *, once: bool = False
    ) -> None:
        """`once`: it is not solved again, so the way that is quickest from nothing is taken."""
        self._shapes, self.nodes = shapes, nodes
        self._pairs = fitting(classes, shapes)
        self._shape, self._kind = np.nonzero(self._pairs)
        self._rows = [row for row in rows(classes, shapes, levels) if self._matters(row)]
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]
        options: list[tuple[str, bool | int | str]] = [("output_flag", False), ("threads", 1), ("random_seed", 1)]
        if once:
            options += [("presolve", "off"), ("simplex_strategy", _PRIMAL)]
        for option, value in options:
            self._solver.setOptionValue(option, value)
        self._load()

    def add(self, cut: Row) -> None:
        """One more row that holds for every packing."""
        columns = np.flatnonzero((self._kind == cut.kind) & (cut.weights[self._shape] > 0)).astype(np.int32)
        limit = cut.limit * float(self.nodes[cut.kind])
        weights = cut.weights[self._shape[columns]]
        self._solver.addRow(-highspy.kHighsInf, limit, len(columns), columns, weights)

    def solve(
        self, demand: Floats, value: Floats, placed: Floats | None = None, taken: Floats | None = None
    ) -> Solution:
        """`placed` (classes × shapes) is what stays where it is: it takes its part of every row.

        `taken` (classes × resources and a last column for GPUs) is what others have, in nodes and in devices.
        """
        if not len(self._shape):
            empty = np.zeros(self._pairs.shape)
            return Solution(0.0, empty, empty.copy())
        count, first = len(demand), len(self._rows)
        limits = np.array([row.limit * self.nodes[row.kind] for row in self._rows])
        if placed is not None:
            limits -= np.array([float(row.weights @ placed[row.kind]) for row in self._rows])
        if taken is not None:
            limits -= [0.0 if row.resource is None else float(taken[row.kind, row.resource]) for row in self._rows]
        upper = np.concatenate([np.maximum(limits, 0.0), demand])
        self._solver.changeColsCost(
            len(self._shape), np.arange(len(self._shape), dtype=np.int32), value[self._shape].astype(np.float64)
        )
        every = np.arange(first + count, dtype=np.int32)
        lower = np.full(len(every), -highspy.kHighsInf)
        self._solver.changeRowsBounds(len(every), every, lower, upper)  # type: ignore[attr-defined]
        self._solver.run()
        solution = self._solver.getSolution()
        flow, reduced = np.zeros(self._pairs.shape), np.zeros(self._pairs.shape)
        flow[self._shape, self._kind] = np.asarray(solution.col_value)
        reduced[self._shape, self._kind] = np.maximum(-np.asarray(solution.col_dual), 0.0)
        return Solution(float(self._solver.getInfo().objective_function_value), flow, reduced)

    def _matters(self, row: Row) -> bool:
        """Whether some replica of the class weighs anything in it, and it can bind at all."""
        return bool((row.weights[self._shape[self._kind == row.kind]] > 0).any())

    def _load(self) -> None:
        starts, indexes, values = [0], [], []
        for row in self._rows:
            columns = np.flatnonzero((self._kind == row.kind) & (row.weights[self._shape] > 0))
            indexes.append(columns)
            values.append(row.weights[self._shape[columns]])
            starts.append(starts[-1] + len(columns))
        of_shape = np.bincount(self._shape, minlength=len(self._shapes.request))  # columns are sorted by shape
        indexes.append(np.arange(len(self._shape)))
        values.append(np.ones(len(self._shape)))
        starts += (starts[-1] + np.cumsum(of_shape)).tolist()
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = len(self._shape), len(starts) - 1
        program.col_cost_ = np.zeros(len(self._shape))
        program.col_lower_ = np.zeros(len(self._shape))
        program.col_upper_ = np.full(len(self._shape), highspy.kHighsInf)
        program.row_lower_ = np.full(len(starts) - 1, -highspy.kHighsInf)
        program.row_upper_ = np.zeros(len(starts) - 1)
        program.sense_ = highspy.ObjSense.kMaximize
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_ = np.array(starts, np.int32)
        program.a_matrix_.index_ = np.concatenate(indexes).astype(np.int32)
        program.a_matrix_.value_ = np.concatenate(values)
        self._solver.passModel(program)
