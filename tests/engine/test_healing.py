"""When drift is healed."""

import asyncio

from reconciler.clock import LoopClock, run_virtual
from reconciler.engine.healing import Healing
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, FieldChange

WEB = Identity("apps", "Deployment", "shop", "web")
IMAGE = ("spec.template.spec.containers[name=web].image",)


def test_drift_is_healed_at_once_and_so_is_the_first_repetition() -> None:
    async def main() -> None:
        healing = Healing(LoopClock())
        assert healing.pause(WEB, IMAGE) == 0
        healing.healed(WEB, IMAGE)
        assert healing.pause(WEB, IMAGE) == 0
        assert not healing.fight(WEB)

    run_virtual(main())


def test_rule_13_what_is_changed_back_again_and_again_is_left_alone_with_growing_pauses_and_reported_once() -> None:
    async def main() -> None:
        healing = Healing(LoopClock())
        pauses = []
        for _ in range(12):
            pause = healing.pause(WEB, IMAGE)
            pauses.append(pause)
            await asyncio.sleep(pause)
            healing.healed(WEB, IMAGE)
        assert pauses == [0, 0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
        assert healing.fight(WEB)
        assert not healing.fight(WEB)

    run_virtual(main())


def test_another_field_of_the_same_object_is_healed_at_once() -> None:
    async def main() -> None:
        healing = Healing(LoopClock())
        for _ in range(5):
            healing.healed(WEB, IMAGE)
        assert healing.pause(WEB, IMAGE) > 0
        assert healing.pause(WEB, ("spec.replicas",)) == 0

    run_virtual(main())


def test_an_object_that_stayed_healed_is_forgiven() -> None:
    async def main() -> None:
        healing = Healing(LoopClock())
        for _ in range(3):
            healing.healed(WEB, IMAGE)
        await asyncio.sleep(601)
        assert healing.pause(WEB, IMAGE) == 0
        healing.healed(WEB, IMAGE)
        assert not healing.fight(WEB)

    run_virtual(main())


def test_rule_13_what_had_no_effect_is_not_tried_again_for_ten_minutes() -> None:
    def rewritten(found: str) -> Change:
        return Change(WEB, Action.UPDATE, "differs", (FieldChange(IMAGE[0], found, "example.com/web:1"),))

    async def main() -> None:
        healing = Healing(LoopClock())
        mirrored = rewritten("mirror.example.com/web:1")
        assert not healing.futile(mirrored)
        healing.had_no_effect(mirrored)
        assert healing.futile(mirrored)
        assert not healing.futile(rewritten("evil.example.com/web:1")), "another difference is another matter"
        assert not healing.futile(Change(WEB, Action.CREATE, "gone"))
        await asyncio.sleep(601)
        assert not healing.futile(mirrored), "the webhook may be gone"

    run_virtual(main())
