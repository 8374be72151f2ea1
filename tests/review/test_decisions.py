"""What the planner decides before and after a merge, and its price."""

from datetime import UTC, datetime

import pytest

from reconciler.engine.planning import Made
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import Circumstances, ClusterSeen, NodeView, Resources
from reconciler.model.plan import Constraint, Move, Place, Plan, Share, Unplaced
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy
from reconciler.model.usage import Usage
from reconciler.planner.advice import Advised
from reconciler.review.decisions import compared, price_of

WEB, API = (Identity("reconciler.dev", "Deployment", "shop", name) for name in ("web", "api"))
POOL = Pool("general", {"tier": "general"}, price=0.1)
NODES = [NodeView(f"n{n}", Resources(4000, 8 * 2**30), {"tier": "general"}) for n in range(2)]


def made(needs: list[WorkloadNeed], plan: Plan, pool: Pool = POOL) -> Made:
    seen = ClusterSeen(tuple(NODES), (), Circumstances(), ())
    advised = Advised(plan, needs=tuple(needs), pools=(pool,))
    return Made(advised, seen, Usage(), {}, datetime(2026, 1, 1, tzinfo=UTC), 0.0, Policy())


def need(identity: Identity, replicas: int, cpu: int = 1000) -> WorkloadNeed:
    return WorkloadNeed(identity, replicas, Resources(cpu, 2**30))


def placed(**counts: int) -> Plan:
    names = {"web": WEB, "api": API}
    return Plan(placements={names[name]: (Share(Place("general", ""), n),) for name, n in counts.items()})


def test_the_price_is_that_of_the_larger_share_of_a_node() -> None:
    node = Resources(4000, 8 * 2**30)
    assert price_of(3, Resources(1000, 2**30), POOL, node) == pytest.approx(0.1 * 730 * 3 / 4)
    assert price_of(1, Resources(100, 4 * 2**30), POOL, node) == pytest.approx(0.1 * 730 / 2)
    assert price_of(1, Resources(100, 1), Pool("free"), node) is None


def test_only_what_is_decided_otherwise_is_told() -> None:
    before = made([need(WEB, 1), need(API, 1)], placed(web=1, api=1))
    after = made([need(WEB, 3), need(API, 1)], placed(web=3, api=1))
    found = compared(before, after)
    (decision,) = found.changed
    assert decision.before is not None
    assert decision.after is not None
    assert (decision.identity, decision.before.replicas, decision.after.replicas) == (WEB, 1, 3)
    assert (found.before, found.after) == (36.5, 73.0)
    assert compared(before, before).changed == ()


def test_what_comes_and_goes_has_one_side() -> None:
    found = compared(made([need(WEB, 1)], placed(web=1)), made([need(API, 1)], placed(api=1)))
    assert [(each.identity, each.before is None, each.after is None) for each in found.changed] == [
        (API, True, False),
        (WEB, False, True),
    ]


def test_what_is_pushed_aside_is_what_the_merge_alone_moves() -> None:
    lack = Unplaced(2, Constraint.CAPACITY, "all nodes are full", "one more node")
    calm = Plan(moves=(Move(API, "n0", "n1"),), unplaced={API: lack})
    needs = [need(WEB, 1), need(API, 4)]
    pressed = Plan(moves=(*calm.moves, Move(WEB, "n1", "")), unplaced={API: lack, WEB: lack})
    found = compared(made(needs, calm), made(needs, pressed))
    assert found.pushed == (Move(WEB, "n1", ""),)
    assert found.unplaced == {WEB: "no place for 2 of its replicas: all nodes are full; one more node"}
