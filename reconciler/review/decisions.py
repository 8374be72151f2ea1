"""What the planner decides about each workload, before and after a merge, and what the merge pushes aside. Pure.

A month's price of a workload: of each place the price of a node of its pool and hour × 730 hours × the part of such a
node that the pods there take, the larger of cpu and memory. A node of a pool is the mean of those that it has, else its
template.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final, NamedTuple

from reconciler.engine.planning import Made
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import NodeView, Resources
from reconciler.model.plan import Move, Unplaced
from reconciler.model.planned import PlacedShare, Waiting
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.pools import pools_of

HOURS: Final = 730  # of a month, as clouds reckon: 8,760 / 12


class Decided(NamedTuple):
    """About one workload. `cpu` (thousandths) and `memory` (bytes) are those of a replica.

    `price` is a month's, in the currency of the pools; None where one of its pools has none.
    """

    replicas: int
    places: tuple[PlacedShare, ...]
    cpu: int
    memory: int
    price: float | None
    unplaced: Waiting | None = None


class Decision(NamedTuple):
    """Before and after; None where the workload is not stated."""

    identity: Identity
    before: Decided | None
    after: Decided | None


@dataclass(frozen=True, slots=True)
class Decisions:
    """`changed` is what is decided otherwise. `pushed` are running replicas that the plan would rather have elsewhere
    with the merge, and not without it; `unplaced` says why of workloads more replicas than before have no place.

    `before` and `after` are a month's prices of all that is planned, as far as pools have prices.
    """

    changed: tuple[Decision, ...]
    pushed: tuple[Move, ...]
    unplaced: Mapping[Identity, str]
    before: float
    after: float


def compared(before: Made, after: Made) -> Decisions:
    """Two plans for one cluster."""
    was, now = _decided(before), _decided(after)
    pairs = [Decision(identity, was.get(identity), now.get(identity)) for identity in sorted({*was, *now})]
    stays = {(move.identity, move.origin) for move in before.advised.plan.moves}
    lacked = before.advised.plan.unplaced
    return Decisions(
        changed=tuple(pair for pair in pairs if pair.before != pair.after),
        pushed=tuple(m for m in after.advised.plan.moves if (m.identity, m.origin) not in stays),
        unplaced={
            identity: f"no place for {lack.count} of its replicas: {lack.reason}; {lack.fix}"
            for identity, lack in after.advised.plan.unplaced.items()
            if lack.count > (lacked[identity].count if identity in lacked else 0)
        },
        before=_sum(was.values()),
        after=_sum(now.values()),
    )


def price_of(share: int, need: Resources, pool: Pool, node: Resources) -> float | None:
    """A month's of `share` pods in a pool whose nodes are like `node`; None where the pool has no price."""
    if pool.price is None:
        return None
    parts = [asked / has for asked, has in ((need.cpu, node.cpu), (need.memory, node.memory)) if has]
    return pool.price * HOURS * share * max(parts, default=0.0)


def _decided(made: Made) -> dict[Identity, Decided]:
    pools = made.advised.pools
    nodes = _nodes(made.seen.nodes, pools)
    by_name = {pool.name: pool for pool in pools}
    return {need.identity: _one(made, need, by_name, nodes) for need in made.advised.needs}


def _one(made: Made, need: WorkloadNeed, pools: Mapping[str, Pool], nodes: Mapping[str, Resources]) -> Decided:
    plan = made.advised.plan
    shares = plan.placements.get(need.identity, ())
    prices = [
        price_of(share.count, need.requests, pools[share.place.pool], nodes[share.place.pool])
        if share.place.pool in nodes
        else None
        for share in shares
    ]
    known = [price for price in prices if price is not None]
    return Decided(
        need.replicas,
        tuple(PlacedShare(share.count, share.place.pool, share.place.zone) for share in shares),
        need.requests.cpu,
        need.requests.memory,
        round(fsum(known), 2) if len(known) == len(prices) else None,
        _waiting(plan.unplaced.get(need.identity)),
    )


def _waiting(lack: Unplaced | None) -> Waiting | None:
    return Waiting(lack.count, lack.constraint.value, lack.reason, lack.fix) if lack is not None else None


def _nodes(nodes: Sequence[NodeView], pools: Sequence[Pool]) -> dict[str, Resources]:
    """What a node of each pool has; pools without nodes and template are left out."""
    members: dict[int, list[Resources]] = {}
    for node, number in zip(nodes, pools_of(nodes, pools), strict=True):
        members.setdefault(number, []).append(node.allocatable)
    found: dict[str, Resources] = {}
    for number, pool in enumerate(pools):
        if has := members.get(number):
            cpu, memory = (sum(values) // len(has) for values in zip(*((r.cpu, r.memory) for r in has), strict=True))
            found[pool.name] = Resources(cpu, memory)
        elif pool.template is not None:
            found[pool.name] = pool.template.allocatable
    return found


def _sum(decided: Iterable[Decided]) -> float:
    return round(fsum(each.price for each in decided if each.price is not None), 2)
