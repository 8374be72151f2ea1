"""The arithmetic of a Deployment's roll-out."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.sandbox.controllers.rollout import (
    ReplicaCount,
    limits,
    new_replicas,
    old_replicas,
    scaled,
    share,
)


def test_a_percentage_rounds_up_for_surge_and_down_for_unavailable() -> None:
    room = limits(10, "25%", "25%")
    assert (room.surge, room.unavailable) == (3, 2)


def test_something_may_always_move() -> None:
    assert limits(1, "0%", "25%").unavailable == 1
    assert limits(3, 0, 0).unavailable == 1


def test_plain_numbers_and_digits_without_a_percent_sign_are_numbers() -> None:
    assert share(3, 10, up=True) == 3
    assert share("3", 10, up=True) == 3


def test_the_first_step_of_a_rolling_update() -> None:
    room = limits(4, 1, 1)
    new, old = ReplicaCount("new", 0), ReplicaCount("old", 4, available=4)
    assert new_replicas(new, [old], room) == 1
    assert old_replicas(replace(new, replicas=1), [old], room) == {"old": 3}


def test_pods_that_are_not_available_go_first() -> None:
    room = limits(4, 0, 1)
    broken, good = (
        ReplicaCount("broken", 1, available=0, created="2"),
        ReplicaCount("good", 4, available=4, created="1"),
    )
    assert old_replicas(ReplicaCount("new", 0), [good, broken], room) == {"broken": 0, "good": 3}


def test_a_new_template_that_never_becomes_available_stops_the_rollout() -> None:
    room = limits(4, 1, 1)
    new, old = ReplicaCount("new", 2, available=0), ReplicaCount("old", 3, available=3)
    assert new_replicas(new, [old], room) == 2
    assert old_replicas(new, [old], room) == {}


def test_scaling_in_the_middle_of_a_rollout_is_proportional() -> None:
    room = limits(20, 0, 5)
    old = ReplicaCount("old", 8, available=8, created="1", max_replicas=10)
    new = ReplicaCount("new", 2, available=2, created="2", max_replicas=10)
    assert scaled(new, [old], room, rolling=True) == {"old": 16, "new": 4}


def test_scaling_at_rest_goes_to_the_only_replica_set() -> None:
    assert scaled(ReplicaCount("new", 3), [ReplicaCount("old", 0)], limits(5, 1, 1), rolling=True) == {"new": 5}
    assert scaled(ReplicaCount("new", 3), [], limits(0, 1, 1), rolling=True) == {"new": 0}


_percent_or_number = st.one_of(st.integers(0, 5), st.integers(0, 100).map(lambda value: f"{value}%"))


@settings(max_examples=150, deadline=None)
@given(
    replicas=st.integers(0, 12),
    surge=_percent_or_number,
    unavailable=_percent_or_number,
    start=st.lists(st.integers(0, 12), min_size=1, max_size=3),
)
def test_every_rollout_ends_and_never_leaves_its_limits(
    replicas: int, surge: int | str, unavailable: int | str, start: list[int]
) -> None:
    room = limits(replicas, surge, unavailable)
    new = ReplicaCount("new", 0, created="9")
    old = [ReplicaCount(f"old{index}", size, size, str(index)) for index, size in enumerate(start)]
    ceiling = max(replicas + room.surge, sum(start))
    floor = min(replicas - room.unavailable, sum(start))
    for _ in range(200):
        changes = {}
        if (wanted := new_replicas(new, old, room)) != new.replicas:
            changes["new"] = wanted
        else:
            changes = old_replicas(new, old, room)
        if not changes and new.available == new.replicas:
            break
        new = replace(new, replicas=changes.get("new", new.replicas))
        old = [
            replace(entry, replicas=size, available=min(size, entry.available))
            for entry in old
            for size in [changes.get(entry.name, entry.replicas)]
        ]
        total = new.replicas + sum(entry.replicas for entry in old)
        available = new.available + sum(entry.available for entry in old)
        assert total <= ceiling
        assert available >= floor
        if not changes:
            new = replace(new, available=min(new.replicas, new.available + 1))
    assert new.replicas == replicas
    assert all(entry.replicas == 0 for entry in old)
