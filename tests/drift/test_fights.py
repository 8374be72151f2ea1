"""What somebody keeps changing back: however they do it, we write little, say it once, and win in the end."""

from collections import deque
from typing import Any

from amount import examples
from hypothesis import example, given
from hypothesis import strategies as st
from tended import tended
from texts import config
from virtual import virtual
from world import World, world

from reconciler.clock import run_virtual
from reconciler.http.transport import Request
from reconciler.model.drift import DriftState
from reconciler.model.event import EventType

MINUTE = 60.0
MOST = 10  # writes of ours to one object in any minute


class Writes:
    """When our client wrote to the objects named `a`."""

    def __init__(self, w: World) -> None:
        self.times: list[float] = []
        inner = w.cluster.transport.send

        async def send(request: Request) -> Any:
            if request.method != "GET" and request.path.endswith("/configmaps/a"):
                self.times.append(w.clock.monotonic())
            return await inner(request)

        w.cluster.transport.send = send  # type: ignore[method-assign]
        self.begin = w.clock.monotonic()

    def most_in_a_minute(self) -> int:
        window: deque[float] = deque()
        most = 0
        for time in self.times:
            window.append(time)
            while window[0] <= time - MINUTE:
                window.popleft()
            most = max(most, len(window))
        return most


async def change(w: World, how: str, number: int) -> None:
    """One change by somebody else."""
    path = w.path("configmaps/a")
    there = await w.get("ConfigMap", "a")
    if there is None:
        return
    match how:
        case "edit":
            await w.patch(path, {"data": {"value": f"theirs {number}"}}, by="their-controller")
        case "another field":
            await w.patch(path, {"data": {"other": f"theirs {number}"}}, by="their-controller")
        case "same value":
            await w.patch(path, {"data": {"value": "theirs"}}, by="their-controller")
        case "undo":
            await w.patch(path, {"data": {"value": "1", "other": "1"}}, by="their-controller")
        case "delete":
            await w.call("DELETE", path)
        case "unlabel":
            await w.patch(path, {"metadata": {"labels": {"reconciler.dev/source": None}}}, by="their-controller")
        case "unmark":
            await w.patch(path, {"metadata": {"annotations": {"reconciler.dev/id": None}}}, by="their-controller")


ALERT = config("a", drift="alert").replace("data: {value: '1'}", "data: {value: '1', other: '1'}")
TWO = config("a").replace("data: {value: '1'}", "data: {value: '1', other: '1'}")


@virtual
async def test_a_thousand_edits_a_minute_make_five_writes_in_the_first_minute_and_one_alert() -> None:
    async with world() as w:
        await w.started({"a.yaml": TWO})
        writes = Writes(w)
        async with tended(w):
            for number in range(1500):
                await change(w, ("edit", "another field")[number % 2], number)
                await w.clock.sleep(MINUTE / 1000)
            assert writes.most_in_a_minute() == 5
            (fight,) = w.heard(EventType.FOUGHT)
            assert fight.message.startswith("reconciler and their-controller change it back again and again")
            assert fight.drift is not None
            assert fight.drift.state is DriftState.FIGHT
            assert [author.manager for author in fight.drift.fields[0].by] == ["their-controller"]
            assert len(w.heard(EventType.DRIFTED)) == len(w.heard(EventType.HEALED)) == 2
            assert not w.heard(EventType.CALMED)
            await w.clock.sleep(3600)
            (calmed,) = w.heard(EventType.CALMED)
            assert calmed.identity == fight.identity
            assert not w.drifts.open()
            live = await w.get("ConfigMap", "a")
            assert live is not None
            assert live["data"] == {"value": "1", "other": "1"}


@virtual
async def test_a_fight_of_a_day_costs_a_write_an_hour() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        writes = Writes(w)
        async with tended(w):
            for number in range(24 * 60):
                await change(w, "edit", number)
                await w.clock.sleep(MINUTE)
        pauses = [later - earlier for earlier, later in zip(writes.times, writes.times[1:], strict=False)]
        assert len(writes.times) < 40
        assert max(pauses) < 3600 + 2 * MINUTE
        assert pauses[-1] > 3500
        assert len(w.heard(EventType.FOUGHT)) == 1


@virtual
async def test_a_person_who_edits_twice_is_healed_at_once_both_times() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        async with tended(w):
            for number in range(2):
                begun = w.clock.monotonic()
                await change(w, "edit", number)
                await w.until(lambda number=number: healed(w, number + 1))  # type: ignore[misc]
                assert w.clock.monotonic() - begun < 0.5
        assert not w.heard(EventType.FOUGHT)


async def healed(w: World, times: int) -> bool:
    return len(w.heard(EventType.HEALED)) == times


@virtual
async def test_who_edits_now_and_then_fights_nobody() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        async with tended(w):
            for number in range(20):
                await change(w, "edit", number)
                await w.clock.sleep(3600)
        assert len(w.heard(EventType.HEALED)) == 20
        assert not w.heard(EventType.FOUGHT)


HOW = st.sampled_from(["edit", "another field", "same value", "undo", "delete", "unlabel", "unmark"])
STORM = st.lists(
    st.tuples(HOW, st.sampled_from([0.0, 0.01, 0.06, 0.5, 3.0, 8.0, 20.0, 70.0, 400.0, 1300.0])),
    min_size=1,
    max_size=60,
)


@examples(25)
@example([("edit", 0.06)] * 60)
@example([("delete", 0.5)] * 60)
@example([("edit", 0.5), ("undo", 0.06)] * 30)
@given(STORM)
def test_rule_13_no_storm_of_edits_makes_us_write_much_and_git_wins_in_the_end(storm: list[tuple[str, float]]) -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.started({"a.yaml": TWO})
            writes = Writes(w)
            async with tended(w):
                for number, (how, pause) in enumerate(storm):
                    await change(w, how, number)
                    await w.clock.sleep(pause)
                await w.clock.sleep(3 * 3600)
                live = await w.get("ConfigMap", "a")
                assert live is not None
                assert live["data"] == {"value": "1", "other": "1"}
                assert live["metadata"]["labels"]["reconciler.dev/source"] == "shop"
                assert "reconciler.dev/id" in live["metadata"]["annotations"]
                assert not w.drifts.open()
            assert writes.most_in_a_minute() <= MOST
            assert lasting(w) == (0, 0)

    run_virtual(scenario())


def lasting(w: World) -> tuple[int, int]:
    """How many drifts and how many fights began and did not end."""
    heard = {kind: len(w.heard(kind)) for kind in EventType}
    drifts = heard[EventType.DRIFTED] - heard[EventType.HEALED] - heard[EventType.RESTORED]
    return drifts, heard[EventType.FOUGHT] - heard[EventType.CALMED]


@examples(15)
@example([("edit", 0.5), ("undo", 0.06)] * 30)
@given(STORM)
def test_rule_13_where_drift_is_only_told_no_storm_makes_us_write_or_say_much(storm: list[tuple[str, float]]) -> None:
    async def scenario() -> None:
        async with world() as w:
            await w.started(
                {"a.yaml": TWO.replace("metadata:", "metadata:\n  annotations: {reconciler.dev/drift: alert}")}
            )
            writes = Writes(w)
            async with tended(w):
                for number, (how, pause) in enumerate(storm):
                    await change(w, how, number)
                    await w.clock.sleep(pause)
                live = await w.get("ConfigMap", "a")
                await w.clock.sleep(3 * 3600)
                assert await w.get("ConfigMap", "a") == live, "nothing was written"
            assert writes.most_in_a_minute() <= MOST, "dry-runs"
            assert len(w.heard(EventType.DRIFTED)) <= MOST
            told = [drift for drift in w.drifts.open() if drift.state is DriftState.FOUND]
            assert lasting(w) == (len(told), 0)

    run_virtual(scenario())
