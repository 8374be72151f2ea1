"""How long an object is left alone before it is healed again."""

from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.drift.patience import Patience
from reconciler.kube.names import Identity

WEB = Identity("apps", "Deployment", "shop", "web")


@virtual
async def test_rule_13_two_times_at_once_and_then_pauses_that_double_up_to_an_hour() -> None:
    clock = LoopClock()
    patience = Patience(clock)
    pauses = []
    for _ in range(14):
        pauses.append(patience.pause(WEB))
        await clock.sleep(pauses[-1])
        patience.tried(WEB)
    assert [round(pause) for pause in pauses] == [0, 0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


@virtual
async def test_a_pause_counts_from_the_last_time() -> None:
    clock = LoopClock()
    patience = Patience(clock)
    for _ in range(3):
        patience.tried(WEB)
    await clock.sleep(8)
    assert round(patience.pause(WEB)) == 2
    await clock.sleep(2)
    assert patience.pause(WEB) == 0


@virtual
async def test_an_object_that_nobody_touches_is_forgiven() -> None:
    clock = LoopClock()
    patience = Patience(clock)
    for _ in range(3):
        patience.tried(WEB)
    assert patience.times(WEB) == 3
    assert patience.calm(WEB) == 600
    await clock.sleep(601)
    assert patience.times(WEB) == 0
    patience.tried(WEB)
    assert patience.pause(WEB) == 0


@virtual
async def test_long_pauses_are_forgiven_late() -> None:
    clock = LoopClock()
    patience = Patience(clock)
    for _ in range(12):
        patience.tried(WEB)
    assert patience.calm(WEB) == 2 * 3600


@virtual
async def test_a_fight_may_last_for_months() -> None:
    clock = LoopClock()
    patience = Patience(clock)
    for _ in range(3000):
        await clock.sleep(patience.pause(WEB))
        patience.tried(WEB)
    assert round(patience.pause(WEB)) == 3600


@virtual
async def test_what_is_remembered_is_bounded_by_what_was_tried_lately() -> None:
    clock = LoopClock()
    patience = Patience(clock)
    for number in range(5000):
        patience.tried(Identity("", "ConfigMap", "shop", str(number)))
        await clock.sleep(10)
    assert len(patience._past) <= 200
