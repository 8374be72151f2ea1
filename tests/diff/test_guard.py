"""What keeps one commit from deleting too much."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff.guard import guard, stricter
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import PruneGuard

GUARD = PruneGuard(count=5, percent=20)


def prunes(number: int, kind: str = "ConfigMap", group: str = "") -> list[Change]:
    namespace = "" if kind in ("Namespace", "PersistentVolume", "CustomResourceDefinition") else "shop"
    return [
        Change(Identity(group, kind, namespace, f"x{n}"), Action.PRUNE, "no longer in Git", uid=f"{kind}-{n}")
        for n in range(number)
    ]


def actions(changes: list[Change]) -> list[Action]:
    return [change.action for change in changes]


def test_rule_11_a_few_deletions_go() -> None:
    assert guard(prunes(5), owned=6, config=GUARD) == prunes(5)
    assert guard(prunes(20), owned=100, config=GUARD) == prunes(20)


def test_rule_11_more_than_the_guard_allows_are_all_held() -> None:
    (held, *rest) = guard(prunes(21), owned=100, config=GUARD)
    assert held.action is Action.HOLD
    assert held.reason == "held: 21 of 100 objects would go, the guard allows 20"
    assert "Reconciler-Allow-Prune: 21" in held.hint
    assert set(actions(rest)) == {Action.HOLD}
    assert held.uid == "ConfigMap-0"  # an approval by uid needs it


def test_rule_11_what_holds_others_or_data_is_always_held() -> None:
    precious = [
        *prunes(1, "Namespace"),
        *prunes(1, "PersistentVolume"),
        *prunes(1, "PersistentVolumeClaim"),
        *prunes(1, "CustomResourceDefinition", "apiextensions.k8s.io"),
    ]
    changes = guard([*precious, *prunes(1)], owned=1000, config=GUARD)
    assert actions(changes) == [Action.HOLD] * 4 + [Action.PRUNE]
    assert changes[0].reason == "held: a Namespace is deleted only with an approval"


def test_rule_11_an_empty_path_holds_every_deletion() -> None:
    (held,) = guard(prunes(1), owned=100, config=GUARD, empty=("env/prod", "base"))
    assert held.action is Action.HOLD
    assert held.reason == "held: nothing is left in base, env/prod"


def test_rule_11_a_trailer_approves_exactly_its_number() -> None:
    assert guard(prunes(12), owned=20, config=GUARD, allow=12) == prunes(12)
    for wrong in (1, 11, 13, 1000):
        held = guard(prunes(12), owned=20, config=GUARD, allow=wrong)
        assert set(actions(held)) == {Action.HOLD}
        assert held[0].hint.startswith(f"the commits approve {wrong}, not 12")


def test_rule_11_a_trailer_may_count_the_held_ones_only() -> None:
    mixed = [*prunes(2, "PersistentVolumeClaim"), *prunes(3)]
    assert guard(mixed, owned=100, config=GUARD, allow=2) == mixed
    assert guard(mixed, owned=100, config=GUARD, allow=5) == mixed
    assert actions(guard(mixed, owned=100, config=GUARD, allow=3)) == [Action.HOLD] * 2 + [Action.PRUNE] * 3


def test_rule_11_an_approval_by_hand_names_objects() -> None:
    changes = guard(prunes(12), owned=20, config=GUARD, approved={"ConfigMap-3", "ConfigMap-4", "gone-long-ago"})
    assert [n for n, change in enumerate(changes) if change.action is Action.PRUNE] == [3, 4]


def test_rule_11_the_stricter_of_old_and_new_settings_applies() -> None:
    assert stricter(PruneGuard(5, 20), PruneGuard(50, 10)) == PruneGuard(5, 10)
    (held,) = guard(prunes(1), owned=100, config=stricter(PruneGuard(0, 0), GUARD))
    assert held.action is Action.HOLD


def test_other_changes_pass_as_they_are() -> None:
    kept = Change(Identity("", "ConfigMap", "shop", "a"), Action.KEEP, "kept")
    assert guard([kept, *prunes(50)], owned=50, config=GUARD)[0] is kept


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9), st.integers(0, 100))
def test_rule_11_never_more_go_than_the_guard_allows(going: int, stay: int, count: int, percent: int) -> None:
    owned = going + stay
    changes = guard(prunes(going), owned=owned, config=PruneGuard(count, percent))
    assert actions(changes).count(Action.PRUNE) in (0, going)
    assert actions(changes).count(Action.PRUNE) <= max(count, owned * percent / 100)
