"""What is remembered of suspects, and of differences that an apply does not change."""

from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cache import Packed
from reconciler.drift.futile import Futile
from reconciler.drift.suspects import Suspects
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.change import Action, Change, FieldChange
from reconciler.model.manifest import Manifest, Policy
from reconciler.model.spec import Origin

A, B, C = (Identity("", "ConfigMap", "shop", name) for name in "abc")


def packed(version: str) -> Packed:
    return Packed(version, "shop", "v1", b"{}")


def test_a_suspect_is_known_as_it_was_before_the_first_change() -> None:
    suspects = Suspects()
    suspects.add(A, packed("1"))
    suspects.add(B)
    suspects.add(A, packed("2"))
    suspects.add(B, packed("3"))
    assert suspects.take(1) == {A: packed("1")}, "in the order in which they came"
    assert suspects.take(9) == {B: packed("3")}
    assert not suspects


def test_what_was_not_looked_at_comes_first_and_keeps_what_it_was() -> None:
    suspects = Suspects()
    suspects.add(A, packed("1"))
    batch = suspects.take(9)
    suspects.add(A, packed("2"))
    suspects.add(B, packed("3"))
    suspects.put_back(batch)
    assert list(suspects.take(9).items()) == [(A, packed("1")), (B, packed("3"))]


def test_some_may_be_left_where_they_are() -> None:
    suspects = Suspects()
    for identity in (A, B, C):
        suspects.add(identity)
    assert list(suspects.take(9, without={B})) == [A, C]
    suspects.add(C)
    suspects.forget({C})
    assert list(suspects.take(9)) == [C]


def test_what_very_many_suspects_were_is_not_kept() -> None:
    suspects = Suspects()
    for number in range(5000):
        suspects.add(Identity("", "ConfigMap", "shop", str(number)), packed("1"))
    taken = suspects.take(9999)
    assert len(taken) == 5000
    assert sum(before is not None for before in taken.values()) == 2000


def change(found: str, digest: str = "d") -> Change:
    gvk = GroupVersionKind("", "v1", "ConfigMap")
    manifest = Manifest(A, gvk, {}, Origin("a.yaml", 1, ""), A, (), Policy(), digest)
    return Change(A, Action.UPDATE, "differs", (FieldChange("data.value", found, "1"),), manifest)


@virtual
async def test_rule_13_what_had_no_effect_is_not_tried_again_for_a_while_that_grows() -> None:
    clock = LoopClock()
    futile = Futile(clock)
    mirrored = change("mirrored")
    assert not futile.holds(mirrored)
    for pause in (600, 1200, 2400):
        futile.add(mirrored, mirrored.fields)
        await clock.sleep(pause - 1)
        assert futile.holds(mirrored)
        await clock.sleep(2)
        assert not futile.holds(mirrored), "the webhook may be gone"
        assert futile.same(mirrored, mirrored.fields)


@virtual
async def test_rule_13_another_difference_or_another_text_is_another_matter() -> None:
    futile = Futile(LoopClock())
    futile.add(change("mirrored"), change("mirrored").fields)
    assert not futile.holds(change("edited"))
    assert not futile.holds(change("mirrored", digest="e"))
    assert not futile.holds(Change(A, Action.CREATE, "gone", manifest=change("").manifest))
    futile.forget({B})
    assert not futile.holds(change("mirrored"))
