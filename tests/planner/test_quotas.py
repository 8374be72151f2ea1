"""ResourceQuotas of the cluster: so many replicas are placed as they let in, beside everybody else's pods."""

from dataclasses import replace

from generated_clusters import MEBI, identity

from reconciler.model.cluster_view import GPU, Gpu, NodeView, PodView, Quota, Resources
from reconciler.model.plan import IDENTITY, Constraint, Plan, Unplaced
from reconciler.model.planning import WorkloadNeed
from reconciler.model.planning_policy import Policy
from reconciler.planner.plan import plan

WEB = WorkloadNeed(identity("web"), 5, Resources(1000, 512 * MEBI))
NODES = (NodeView("n0", Resources(16_000, 32_768 * MEBI), gpus=8), NodeView("n1", Resources(16_000, 32_768 * MEBI)))


def quota(name: str = "few", namespace: str = "shop", **hard: int) -> Quota:
    return Quota(namespace, name, tuple(sorted(hard.items())))


def planned(
    *quotas: Quota,
    need: WorkloadNeed = WEB,
    running: tuple[PodView, ...] = (),
    stated: Resources | None = None,
    previous: Plan = IDENTITY,
) -> Plan:
    policy = Policy(quotas={} if stated is None else {"shop": stated})
    return plan(NODES, running, [need], policy=policy, previous=previous, quotas=quotas)


def placed(found: Plan) -> int:
    return sum(found.assignment[WEB.identity].values())


def other(name: str, namespace: str = "shop", node: str = "n0", **more: object) -> PodView:
    return PodView(namespace, name, node, Resources(1500, MEBI), **more)  # type: ignore[arg-type]


def test_replicas_are_placed_up_to_the_quota_and_the_reason_names_it() -> None:
    found = planned(quota(pods=3))
    assert placed(found) == 3
    assert found.unplaced[WEB.identity] == Unplaced(
        2,
        Constraint.QUOTA,
        "the quota of namespace shop is used up: pods of ResourceQuota/shop/few",
        "raise pods in ResourceQuota/shop/few",
    )
    assert placed(planned(quota(cpu=4900))) == 4
    assert placed(planned(quota(memory=1024 * MEBI))) == 2


def test_a_quota_of_nothing_lets_nothing_in_and_one_of_another_namespace_does_not_count() -> None:
    assert placed(planned(quota(pods=0))) == 0
    assert placed(planned(quota(namespace="bank", pods=0))) == 5


def test_whole_devices_are_counted_and_shares_of_one_are_not() -> None:
    few = Quota("shop", "few", ((GPU, 3),))
    assert placed(planned(few, need=replace(WEB, gpu=Gpu(1)))) == 3
    assert placed(planned(few, need=replace(WEB, gpu=Gpu(1, 500)))) == 5


def test_what_is_rare_is_counted() -> None:
    need = replace(WEB, requests=Resources(100, MEBI, 1000, (("example.com/fpga", 2),)))
    nodes = [NodeView("n0", Resources(4000, 1024 * MEBI, 10_000, (("example.com/fpga", 10),)))]
    for name, most, count in (("example.com/fpga", 5, 2), ("ephemeral-storage", 3500, 3)):
        found = plan(nodes, [], [need], quotas=[Quota("shop", "few", ((name, most),))])
        assert placed(found) == count
        assert found.unplaced[WEB.identity].fix == f"raise {name} in ResourceQuota/shop/few"


def test_pods_of_others_are_taken_from_it_first_wherever_they_are() -> None:
    there = (other("one"), other("lost", node="gone"), other("elsewhere", namespace="bank"))
    assert placed(planned(quota(pods=5), running=there)) == 3
    assert placed(planned(quota(cpu=5000), running=there)) == 2
    assert placed(planned(quota(pods=1), running=there)) == 0
    device = replace(there[0], gpu=Gpu(1))
    assert placed(planned(Quota("shop", "few", ((GPU, 3),)), need=replace(WEB, gpu=Gpu(1)), running=(device,))) == 2


def test_our_own_pods_are_not_counted_twice_and_stay_where_they_are_too_many() -> None:
    mine = tuple(PodView("shop", f"web-{n}", "n0", WEB.requests, WEB.identity) for n in range(4))
    assert placed(planned(quota(pods=4), running=mine)) == 4
    tight = planned(quota(pods=2), running=mine)
    assert tight.assignment[WEB.identity] == {"n0": 4}
    assert (tight.unplaced[WEB.identity].count, tight.moves) == (1, ())


def test_the_tightest_counts_by_resource_and_each_that_is_in_the_way_is_named() -> None:
    loose, tight = quota("loose", pods=9, cpu=2500), quota("tight", pods=2, cpu=9000)
    found = planned(loose, tight, stated=Resources(cpu=2000))
    assert placed(found) == 2
    assert found.unplaced[WEB.identity].reason == (
        "the quota of namespace shop is used up: cpu by the configuration, cpu of ResourceQuota/shop/loose, "
        "pods of ResourceQuota/shop/tight"
    )
    assert found.unplaced[WEB.identity].fix == (
        "raise the quota of shop and raise cpu in ResourceQuota/shop/loose and raise pods in ResourceQuota/shop/tight"
    )
    assert placed(planned(tight, stated=Resources(cpu=1000))) == 1
    assert placed(planned(quota("tight", pods=1), stated=Resources(cpu=3000))) == 1


def test_more_quota_never_places_less_and_less_of_it_takes_back_what_does_not_run() -> None:
    found, before = IDENTITY, 0
    for pods in (1, 2, 4, 4, 9):
        found = planned(quota(pods=pods), previous=found)
        assert placed(found) == min(pods, 5) >= before
        before = placed(found)
    found = planned(quota(pods=2), previous=found)
    assert placed(found) == 2
    assert found.unplaced[WEB.identity].constraint is Constraint.QUOTA


def test_what_cannot_bind_changes_no_byte() -> None:
    assert repr(planned(quota(pods=5, cpu=5000), quota("more", memory=99_999 * MEBI))) == repr(planned())


def test_where_a_quota_is_raised_there_is_a_search_for_room() -> None:
    """What waited for its quota alone was not searched for until then."""
    nodes = [NodeView(name, Resources(4000, 4096 * MEBI)) for name in ("n0", "n1")]
    low = WorkloadNeed(identity("low"), 2, Resources(3000, MEBI), movable=True)
    urgent = WorkloadNeed(identity("urgent"), 1, Resources(3000, MEBI), priority=1000)
    running = [PodView("shop", f"low-{n}", f"n{n}", low.requests, low.identity) for n in range(2)]
    before = plan(nodes, running, [low, urgent], quotas=[quota(pods=0)])
    assert list(before.unplaced) == [urgent.identity]
    found = plan(nodes, running, [low, urgent], quotas=[quota(pods=9)], previous=before)
    assert list(found.unplaced) == [low.identity]
