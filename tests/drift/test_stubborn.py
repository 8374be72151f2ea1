"""Admission webhooks that rewrite what is applied: those that mean it so, and those that never come to an end.

In virtual time a client in between rewrites our applies; tests/faults has real webhooks.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import msgspec
from intercepted import hook
from tended import tended
from texts import config
from virtual import virtual
from world import World, world

from reconciler.http.transport import Request, Response
from reconciler.model.drift import DriftState
from reconciler.model.event import EventType

DRIFT = (EventType.DRIFTED, EventType.HEALED, EventType.RESTORED, EventType.FOUGHT, EventType.CALMED)


class Rewriting:
    """What becomes of `data.value` in each apply of ours to the ConfigMap `a`; nothing while `rule` is None."""

    def __init__(self, w: World) -> None:
        self.rule: Callable[[str], str] | None = None
        self.applies: list[float] = []
        self._w = w
        hook(w, self._answer)

    async def _answer(self, request: Request) -> Response | None:
        if request.method != "PATCH" or not request.path.endswith("/configmaps/a"):
            return None
        self.applies.append(self._w.clock.monotonic())
        if self.rule is None:
            return None
        body = msgspec.json.decode(request.body)
        body["data"]["value"] = self.rule(body["data"]["value"])
        return await self._w.transport.send(replace(request, body=msgspec.json.encode(body)))


def told(w: World) -> list[str]:
    return [event.type.value for event in w.events if event.type in DRIFT]


async def touch(w: World, number: int) -> None:
    await w.patch(w.path("configmaps/a"), {"metadata": {"annotations": {"x": str(number)}}})


@virtual
async def test_rule_13_a_webhook_that_always_makes_the_same_is_no_drift_whatever_others_do() -> None:
    async with world() as w:
        webhook = Rewriting(w)
        webhook.rule = lambda value: f"mirror/{value}"
        await w.started({"a.yaml": config("a")})
        async with tended(w):
            for number in range(100):
                await touch(w, number)
                await w.clock.sleep(60)
            assert told(w) == []
            assert len(webhook.applies) < 10, "seldom tried: it may be gone"
            await w.patch(w.path("configmaps/a"), {"data": {"value": "evil"}})
            await w.clock.sleep(60)
            assert told(w) == ["drifted", "healed"], "an edit is drift all the same"
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "mirror/1"}


@virtual
async def test_rule_13_nor_is_it_where_drift_is_only_told() -> None:
    async with world() as w:
        webhook = Rewriting(w)
        webhook.rule = lambda value: f"mirror/{value}"
        await w.started({"a.yaml": config("a", drift="alert")})
        async with tended(w):
            for number in range(10):
                await touch(w, number)
                await w.clock.sleep(60)
        assert told(w) == []


@virtual
async def test_rule_13_a_webhook_that_never_comes_to_an_end_is_told_once_and_left_alone_with_growing_pauses() -> None:
    async with world() as w:
        webhook = Rewriting(w)
        numbers = itertools.count()
        webhook.rule = lambda value: f"{value} {next(numbers)}"
        await w.started({"a.yaml": config("a")})
        first = len(webhook.applies)
        async with tended(w):
            for number in range(12 * 60):
                await touch(w, number)
                await w.clock.sleep(60)
            assert told(w) == ["fought"]
            (drift,) = w.drifts.open()
            assert drift.state is DriftState.STUBBORN
            assert drift.until is not None
            assert drift.until > w.clock.now()
            assert drift.fields[0].wanted == "1"
            tries = [a for a, b in itertools.pairwise([*webhook.applies[first:], 1e9]) if b - a > 1]
            pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
            assert len(tries) < 25
            assert max(pauses) <= 3660
            assert pauses[-1] > 3500
            webhook.rule = None
            await w.clock.sleep(2 * 3600)
            live = await w.get("ConfigMap", "a")
            assert live is not None
            assert live["data"] == {"value": "1"}
            await w.clock.sleep(3 * 3600)
            assert told(w) == ["fought", "calmed"]
            assert w.drifts.open() == ()


@virtual
async def test_a_webhook_that_comes_to_mean_the_same_ends_it_too() -> None:
    async with world() as w:
        webhook = Rewriting(w)
        numbers = itertools.count()
        webhook.rule = lambda value: f"{value} {next(numbers)}"
        await w.started({"a.yaml": config("a")})
        async with tended(w):
            await touch(w, 1)
            await w.clock.sleep(60)
            assert told(w) == ["fought"]
            webhook.rule = lambda value: f"mirror/{value}"
            await w.clock.sleep(5 * 3600)
            assert told(w) == ["fought", "calmed"]
            assert w.drifts.open() == ()
