"""What a merge was announced to do, beside what it did: object by object, each with its reason."""

from hashlib import sha256
from typing import Any

import pytest
from stated_reviews import deed, synced

from reconciler.daemon.reviews.difference import Compared, compare, together
from reconciler.daemon.reviews.promise import MOST, Promise, promise, unpacked
from reconciler.daemon.reviews.reviewer import Restated
from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.deed import Deed
from reconciler.model.result import Outcome

MERGED = "f" * 40
OTHERS = "other commits, applied together with it, state it otherwise"


def named(*names: str) -> frozenset[Identity]:
    return frozenset(deed(name).identity for name in names)


def compared(planned: list[Deed], did: list[Deed], *, anyway: tuple[Deed, ...] = (), **others: Any) -> Compared:
    found = synced(MERGED, *did, **{"restated": Restated(named("a"), named()), **others})
    return compare(Promise(tuple(planned), anyway), found)


def lines(found: Compared) -> list[str]:
    return [f"{each.identity.name}: {each.what} ({each.why})" for each in found.differences]


def test_what_happened_as_announced_is_only_counted() -> None:
    both = [deed("a"), deed("b", Action.PRUNE)]
    assert compared(both, both) == Compared((), 2, 0)
    assert compared([], []) == Compared((), 0, 0)


@pytest.mark.parametrize(
    ("planned", "did", "others", "said"),
    [
        (deed("a"), None, {}, "a: create announced, and nothing was done (it was so already)"),
        (
            deed("a", Action.PRUNE),
            None,
            {},
            "a: prune announced, and nothing was done (it was gone already, or is kept)",
        ),
        (
            deed("a"),
            None,
            {"restated": Restated(named(), named("a"))},
            f"a: create announced, and nothing was done ({OTHERS})",
        ),
        (
            deed("a"),
            deed("a", outcome=Outcome.FAILED, why="the quota is used up"),
            {},
            "a: create announced, and failed (the quota is used up)",
        ),
        (
            deed("a"),
            deed("a", Action.UNCONFIRMED, Outcome.BLOCKED, "waits for b"),
            {},
            "a: create announced, and blocked (waits for b)",
        ),
        (
            deed("a", Action.PRUNE),
            deed("a", Action.HOLD, Outcome.HELD, "3 of 4 would go"),
            {},
            "a: prune announced, and held (3 of 4 would go)",
        ),
        (
            deed("a", Action.HOLD),
            deed("a", Action.PRUNE),
            {},
            "a: hold announced, prune done (it was approved, or is free now)",
        ),
        (deed("a"), deed("a", Action.UPDATE), {}, "a: create announced, update done ()"),
        (None, deed("b", Action.UPDATE), {}, "b: not announced: update done (drift: it was changed beside Git)"),
        (None, deed("b"), {}, "b: not announced: create done (drift: it was deleted beside Git)"),
        (None, deed("b", Action.PRUNE), {}, "b: not announced: prune done (it was approved since)"),
        (
            None,
            deed("b", outcome=Outcome.FAILED, why="no"),
            {},
            "b: not announced: create failed (no)",
        ),
        (
            None,
            deed("b"),
            {"restated": Restated(named("a", "b"), named("b"))},
            f"b: not announced: create done ({OTHERS})",
        ),
        (None, deed("b"), {"restated": None}, "b: not announced: create done ()"),
    ],
)
def test_each_difference_has_its_reason(
    planned: Deed | None, did: Deed | None, others: dict[str, Any], said: str
) -> None:
    found = compared([planned] if planned else [], [did] if did else [], **others)
    assert lines(found) == [said]
    assert found.alike == 0


def test_what_is_announced_as_held_and_stays_so_is_no_difference() -> None:
    held = deed("a", Action.HOLD, Outcome.HELD, "waits")
    assert compared([deed("a", Action.HOLD)], [held]).differences == ()
    assert compared([deed("a", Action.REFUSE)], []).differences == ()


def test_what_was_to_happen_anyway_was_announced() -> None:
    drift = deed("b", Action.UPDATE)
    assert compared([], [drift], anyway=(drift,)).differences == ()
    assert len(compared([], [deed("b", Action.REPLACE)], anyway=(drift,)).differences) == 1


def test_fields_are_compared_where_both_know_them() -> None:
    def changed(*fields: str) -> Deed:
        return deed("a", Action.UPDATE)._replace(fields=fields)

    assert compared([changed("data.x")], [changed("data.x")]).differences == ()
    assert compared([changed("spec.a")], [changed("spec")]).differences == (), "a server says it of the whole"
    assert compared([changed("data.x")], [changed()]).differences == ()
    (said,) = lines(compared([changed("data.x", "data.y")], [changed("data.x", "data.z")]))
    assert "announced and not changed: data.y; changed and not announced: data.z" in said


def became(**values: str) -> Deed:
    return deed("a", Action.UPDATE).with_fields({f"data.{key}": value for key, value in values.items()})


def test_values_of_the_same_field_are_compared_where_both_know_them() -> None:
    assert compared([became(x="2")], [became(x="2")]).alike == 1
    assert compared([became(x="2")], [became(x="")]).differences == ()
    assert compared([became(x="2")], [became(x="3")._replace(values=())]).differences == ()
    built = became(x='"example.com/web:to-be-built-0123456789ab"')
    assert compared([built], [became(x='"example.com/web@sha256:1"')]).differences == (), "nobody could know it"
    found = compared([became(x="2", y="1", z="0")], [became(x="3", y="1", z="nothing")])
    assert lines(found) == ["a: data.x: 2 announced, 3 done; data.z: 0 announced, nothing done ()"]
    assert found.alike == 0
    many = [became(**{f"k{number}": value for number in range(9)}) for value in "12"]
    (said,) = lines(compared(*([each] for each in many)))
    assert "data.k4: 1 announced, 2 done; and 4 more ()" in said
    (said,) = lines(compared([became(x="2")], [became(x="3")], restated=Restated(named(), named("a"), named("a"))))
    assert said == f"a: data.x: 2 announced, 3 done ({OTHERS})"


@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE])
def test_contents_that_git_states_otherwise_in_the_end_are_told_without_values(action: Action) -> None:
    """Of a new object, and of a Secret, no values are kept."""
    both = [deed("a", action)]
    (said,) = lines(compared(both, both, restated=Restated(named(), named("a"), named("a"))))
    assert said == f"a: {action} done as announced, with other contents ({OTHERS})"
    assert compared(both, both, restated=Restated(named(), named("a"))).differences == ()


def test_passes_are_added_up() -> None:
    failed = deed("a", outcome=Outcome.FAILED, why="no")
    later = deed("b", Action.UPDATE)._replace(fields=("data.y",))
    earlier = later._replace(fields=("data.x",))
    assert together([(failed, earlier), (deed("a"), later)]) == (deed("a"), later._replace(fields=("data.x", "data.y")))
    assert together([(deed("a"),), (failed,)]) == (deed("a"),)
    (sum_,) = together([(became(x="1", y="1"),), (became(y="2", z="2"),), (became(z=""),)])
    assert (sum_.fields, sum_.values) == (("data.x", "data.y", "data.z"), ("1", "2", "")), "the last counts"


def test_what_is_not_on_record_is_counted_and_not_judged() -> None:
    assert compared([deed("a"), deed("b")], [deed("a")], unlisted=7) == Compared((), 1, 1)
    cut = Promise((deed("a"),), more=5)
    found = compare(cut, synced(MERGED, deed("a"), deed("z")))
    assert (found.differences, found.alike, found.unknown) == ((), 1, 5)


def test_a_promise_outlives_the_comment() -> None:
    said = promise([deed("a"), deed("b", Action.PRUNE)], [deed("c", Action.UPDATE)])
    assert unpacked(said.packed()) == said


def test_a_large_promise_is_cut_and_says_so() -> None:
    deeds = [deed(f"{number * 7919 % 100_003}-{number}") for number in range(3 * MOST)]
    said = promise(deeds, deeds[:10])
    assert (len(said.merged), said.anyway, said.more) == (MOST, (), 2 * MOST + 10)
    text = said.packed()
    assert len(text) <= 8_000
    kept = unpacked(text)
    assert kept is not None
    assert 100 < len(kept.merged) < MOST
    assert len(kept.merged) + kept.more == 3 * MOST + 10


def test_values_give_way_to_objects() -> None:
    deeds = [
        deed(f"{n}", Action.UPDATE).with_fields({"data.x": sha256(f"{n}".encode()).hexdigest()}) for n in range(300)
    ]
    said = promise(deeds)
    kept = unpacked(said.packed())
    assert kept is not None
    assert (len(kept.merged), kept.more) == (300, 0)
    assert all(each.fields and not each.values for each in kept.merged)
    assert unpacked(promise(deeds[:20]).packed()) == promise(deeds[:20])


@pytest.mark.parametrize("text", ["", "x", "eJw=", "!!!", "eJyLNowFAAHTAOo=", "A" * 100_000])
def test_what_people_make_of_it_is_no_promise(text: str) -> None:
    assert unpacked(text) is None
