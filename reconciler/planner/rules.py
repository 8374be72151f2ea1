"""What a rule among replicas says of one workload, and what it leaves of the nodes."""

from dataclasses import dataclass
from typing import NamedTuple

from reconciler.model.plan import Constraint
from reconciler.planner.shapes import Bools, Ints


class Rule(NamedTuple):
    """One term of one workload. `matches` says whether its own replicas count."""

    constraint: Constraint
    watch: int
    hard: bool
    matches: bool
    weight: int
    skew: int = 0
    domains: Ints | None = None  # of a spread: those that are counted


class Part(NamedTuple):
    """The nodes that one hard rule leaves; no `rule` of its own where others keep it away over the label `key`."""

    constraint: Constraint
    nodes: Bools
    key: str
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Simple:
    """`alone`: at most one a node. Where a hard spread over the label `key` bounds the skew: the `domain` of each node,
    the `count` in each and those that are `counted`."""

    alone: bool
    key: str
    domain: Ints | None
    count: Ints | None
    counted: Ints | None
    skew: int
