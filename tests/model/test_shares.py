"""Pods in shares over pools: exact, and no pool loses a pod where there is one more in all."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.shares import WHOLE, Portion, apportioned
from reconciler.model.spec import Scale

TOTALS = st.integers(0, 400) | st.integers(0, 100_000)


@st.composite
def shares(draw: st.DrawFn) -> dict[str, int]:
    """Percentages that add up to 100, of two to twenty pools."""
    cuts = sorted(draw(st.sets(st.integers(1, WHOLE - 1), min_size=1, max_size=19)))
    sizes = [end - begin for begin, end in zip([0, *cuts], [*cuts, WHOLE], strict=True)]
    return {f"p{number}": size for number, size in enumerate(draw(st.permutations(sizes)))}


@given(TOTALS, shares())
def test_all_pods_are_somewhere_and_no_pool_is_a_whole_pod_from_its_share(total: int, parts: dict[str, int]) -> None:
    found = apportioned(total, parts)
    assert found.keys() == parts.keys()
    assert sum(found.values()) == total
    assert all(abs(found[pool] - Fraction(total * parts[pool], WHOLE)) < 1 for pool in parts)


@given(TOTALS, shares())
def test_one_pod_more_in_all_is_one_more_in_one_pool(total: int, parts: dict[str, int]) -> None:
    before, after = apportioned(total, parts), apportioned(total + 1, parts)
    assert sorted(after[pool] - before[pool] for pool in parts) == [0] * (len(parts) - 1) + [1]


@given(TOTALS, shares(), st.randoms())
def test_the_order_in_which_pools_are_stated_decides_nothing(total, parts, random) -> None:
    pools = list(parts)
    random.shuffle(pools)
    assert apportioned(total, {pool: parts[pool] for pool in pools}) == apportioned(total, parts)


def test_the_alabama_paradox_is_none() -> None:
    """By largest remainders b has 2 of 10 pods and 1 of 11."""
    parts = {"a": 43, "b": 14, "c": 43}
    assert [apportioned(total, parts)["b"] for total in (10, 11)] == [1, 1]
    assert [apportioned(10, {"on-demand": 30, "spot": 70}), apportioned(3, {"on-demand": 30, "spot": 70})] == [
        {"on-demand": 3, "spot": 7},
        {"on-demand": 1, "spot": 2},
    ]


@given(st.integers(0, 300), st.integers(0, 300), shares())
def test_the_bounds_of_the_parts_are_bounds(low: int, more: int, parts: dict[str, int]) -> None:
    web = Identity("reconciler.dev", "Deployment", "shop", "web")
    whole = Scale(low + more, {"cpu": "50%"}, low)
    scales = [Portion(web, pool, parts).scale(whole) for pool in parts]
    assert sum(each.max for each in scales) == whole.max
    assert all(each.min >= 1 and (each.max == 0 or each.min <= each.max) for each in scales)
    assert sum(each.min for each in scales) - low <= len(parts)
