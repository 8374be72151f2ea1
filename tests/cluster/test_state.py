"""What is remembered survives everything: a kill between any two requests, another writer, a lost answer."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import virtual

from reconciler.clock import LoopClock, run_virtual
from reconciler.cluster.state import StateStore
from reconciler.errors import ConfigError, TransportError
from reconciler.http.transport import Request, Response
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action
from reconciler.model.config import PruneGuard
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Revision
from reconciler.model.state import HELD, HISTORY, OBJECTS, Held, Mark, Pass, SourceState, state_name

START = datetime(2026, 1, 1, tzinfo=UTC)
REVISION = Revision("c" * 40, "main", "Ann <ann@example.com>", START, "a change")
NAMESPACE = "reconciler-system"


def passed(number: int, message: str = "") -> Pass:
    return Pass(REVISION, START + timedelta(minutes=number), START, True, messages=(message,) if message else ())


def store_on(server: Any, cluster_on: Any) -> StateStore:
    return StateStore(cluster_on(server), NAMESPACE, clock=LoopClock())


def everything() -> SourceState:
    return SourceState(
        "shop",
        kinds=frozenset({GroupKind("apps", "Deployment"), GroupKind("", "ConfigMap")}),
        namespaces=frozenset({"shop", ""}),
        seen=Mark("a" * 40, START),
        applied=Mark("b" * 40, START),
        suspended=True,
        guard=PruneGuard(count=3, percent=10),
        held=(Held(Identity("", "Namespace", "", "shop"), "uid-1", "held: precious", "approve it"),),
        approved=frozenset({"uid-1"}),
        ran=frozenset({Identity("batch", "Job", "shop", "migrate-1")}),
        history=(passed(1, "Überraschung ✓ \U0001f600"),),
    )


def large(filler: str, passes: int = HISTORY) -> SourceState:
    return replace(everything(), history=tuple(passed(n, filler * 4000) for n in range(passes)))


@pytest.mark.parametrize("state", [everything(), large("x"), large("\U0001f600")], ids=["small", "large", "wide"])
@virtual
async def test_what_is_written_is_read(state: SourceState, scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    assert await store.load("shop") == SourceState("shop")
    store.update("shop", lambda _: state)
    await store.flush("shop")
    again = store_on(server, cluster_on)
    assert await again.load("shop") == state
    assert await again.sources() == ["shop"]
    assert all(len(json.dumps(obj, ensure_ascii=False).encode()) < 512 * 1024 for obj in server.objects.values())


@virtual
async def test_writes_are_coalesced_and_a_second_apart(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    for number in range(100):
        store.update("shop", lambda state, n=number: state.having_passed(passed(n)))
        await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    assert server.seen("create") + server.seen("update") <= 7
    assert (await store_on(server, cluster_on).load("shop")).history[-1] == passed(99)
    await store.close()


@virtual
async def test_nothing_new_costs_no_request(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    await store.record("shop", [GroupKind("", "ConfigMap")], ["shop"])
    before = len(server.sent)
    await store.record("shop", [GroupKind("", "ConfigMap")], ["shop"])
    await store.load("shop")
    await asyncio.sleep(3600)
    assert len(server.sent) == before


@virtual
async def test_rule_3_kinds_are_recorded_before_record_returns(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    await store.record("shop", [GroupKind("", "ConfigMap")], ["shop"])
    await store.record("shop", [GroupKind("apps", "Deployment")], ["other"])
    fresh = await store_on(server, cluster_on).load("shop")
    assert fresh.kinds == {GroupKind("", "ConfigMap"), GroupKind("apps", "Deployment")}
    assert fresh.namespaces == {"shop", "other"}


@virtual
async def test_what_is_on_record_does_not_wait_for_other_writes(scripted: Any, cluster_on: Any) -> None:
    store = store_on(scripted(), cluster_on)
    await store.load("shop")
    await store.record("shop", [GroupKind("", "ConfigMap")], ["shop"])
    store.update("shop", lambda state: replace(state, suspended=True))  # its turn comes in a second
    began = asyncio.get_running_loop().time()
    await store.record("shop", [GroupKind("", "ConfigMap")], ["shop"])
    assert asyncio.get_running_loop().time() == began


@virtual
async def test_rule_3_a_kind_that_a_write_under_way_drops_is_recorded_anew(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    kinds = [GroupKind("", "ConfigMap"), GroupKind("apps", "Deployment")]
    await store.record("shop", kinds, ["shop"])
    store.update("shop", lambda state: replace(state, kinds=frozenset(kinds[:1])))
    writing = asyncio.ensure_future(store.flush("shop"))
    await asyncio.sleep(1)  # its turn: the request is on its way
    await store.record("shop", kinds, ["shop"])
    fresh = await store_on(server, cluster_on).load("shop")
    assert fresh.kinds == set(kinds)
    await writing


class Mortal:
    """Passes requests on until it is killed: the last one may still have arrived."""

    def __init__(self, server: Any, lives: int, *, arrives: bool) -> None:
        self.server = server
        self.lives = lives
        self.arrives = arrives

    async def send(self, request: Request) -> Response:
        if self.lives == 0 and self.arrives:
            await self.server.send(request)
        self.lives -= 1
        if self.lives < 0:
            raise TransportError("killed")
        answer: Response = await self.server.send(request)
        return answer

    def stream(self, request: Request) -> Any:
        return self.server.stream(request)

    async def close(self) -> None:
        pass


class Forgetful(Mortal):
    """Loses the answer to the first PUT."""

    def __init__(self, server: Any) -> None:
        super().__init__(server, 1, arrives=True)

    async def send(self, request: Request) -> Response:
        answer: Response = await self.server.send(request)
        if request.method == "PUT" and self.lives:
            self.lives = 0
            raise TransportError("lost")
        return answer


@settings(max_examples=60, deadline=None)
@given(
    old=st.integers(0, HISTORY),
    new=st.integers(0, HISTORY),
    lives=st.integers(0, 12),
    arrives=st.booleans(),
)
@virtual
async def test_a_kill_leaves_the_old_or_the_new_state(
    old: int, new: int, lives: int, arrives: bool, scripted: Any, cluster_on: Any
) -> None:
    server = scripted()
    first, second = large("x", old), large("y", new)
    store = store_on(server, cluster_on)
    await store.load("shop")
    store.update("shop", lambda _: first)
    await store.flush("shop")

    mortal = store_on(Mortal(server, lives, arrives=arrives), cluster_on)
    try:
        await mortal.load("shop")
        mortal.update("shop", lambda _: second)
        await mortal.flush("shop")
    except TransportError:
        pass
    await mortal.close(timeout=0)

    after = await store_on(server, cluster_on).load("shop")
    assert after in (first, second)


@virtual
async def test_pieces_that_a_kill_left_over_are_removed_later(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    store.update("shop", lambda _: large("x"))
    await store.flush("shop")
    used = len(server.objects)
    for age, name in ((2, "old"), (0, "young")):
        server.put(f"{state_name('shop')}.{name}", namespace=NAMESPACE, labels={"reconciler.dev/state-piece": "shop"})
        created = START - timedelta(hours=age)
        server.objects[NAMESPACE, f"{state_name('shop')}.{name}"]["metadata"]["creationTimestamp"] = (
            created.isoformat().replace("+00:00", "Z")
        )
    assert await store_on(server, cluster_on).load("shop") == large("x")
    assert len(server.objects) == used + 1
    store.update("shop", lambda _: everything())
    await store.flush("shop")
    assert len(server.objects) == 2


@virtual
async def test_two_writers_lose_nothing(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    daemon, cli = store_on(server, cluster_on), store_on(server, cluster_on)
    await daemon.load("shop")
    await cli.load("shop")
    daemon.update("shop", lambda state: state.having_passed(passed(1)))
    cli.update("shop", lambda state: replace(state, suspended=True))
    await asyncio.gather(daemon.flush("shop"), cli.flush("shop"))
    after = await store_on(server, cluster_on).load("shop")
    assert after.suspended
    assert after.history == (passed(1),)


@virtual
async def test_an_answer_that_is_lost_is_not_written_twice(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    await store.record("shop", [], ["shop"])
    forgetful = store_on(Forgetful(server), cluster_on)
    await forgetful.load("shop")
    forgetful.update("shop", lambda state: replace(state, held_more=state.held_more + 1))
    await forgetful.flush("shop")
    assert (await store_on(server, cluster_on).load("shop")).held_more == 1


@virtual
async def test_an_api_server_that_is_down_is_waited_for(scripted: Any, cluster_on: Any, lost: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    server.always("create", lost)
    store.update("shop", lambda state: replace(state, suspended=True))
    await asyncio.sleep(600)
    assert server.seen("create") < 40
    server.heal()
    await asyncio.sleep(61)
    assert (await store_on(server, cluster_on).load("shop")).suspended


@virtual
async def test_closing_writes_what_is_left_at_once(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    store = store_on(server, cluster_on)
    await store.load("shop")
    await store.record("shop", [], ["shop"])
    store.update("shop", lambda state: replace(state, suspended=True))
    began = asyncio.get_running_loop().time()
    await store.close()
    assert asyncio.get_running_loop().time() - began < 0.5
    assert (await store_on(server, cluster_on).load("shop")).suspended


@virtual
async def test_what_another_process_writes_is_noticed(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    daemon, cli = store_on(server, cluster_on), store_on(server, cluster_on)
    await daemon.load("shop")
    await daemon.record("shop", [], ["shop"])
    told: list[str] = []
    following = asyncio.create_task(daemon.follow(told.append))
    await asyncio.sleep(5)
    daemon.update("shop", lambda state: state.having_passed(passed(1)))
    await asyncio.sleep(5)
    assert told == []
    await cli.load("shop")
    cli.update("shop", lambda state: replace(state, suspended=True))
    await cli.flush("shop")
    await asyncio.sleep(1)
    assert told == ["shop"]
    assert daemon.get("shop").suspended
    following.cancel()


@virtual
async def test_a_missing_namespace_is_said_with_what_to_do(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    server.missing_namespaces.add(NAMESPACE)
    store = store_on(server, cluster_on)
    await store.load("shop")
    with pytest.raises(ConfigError, match="there is no namespace reconciler-system") as caught:
        await store.record("shop", [], ["shop"])
    assert "kubectl create namespace" in caught.value.hint


@pytest.mark.parametrize("data", [{}, {"state": "{"}, {"state": "[]"}, {"pieces": "nowhere", "digest": "0"}])
@virtual
async def test_a_state_that_cannot_be_understood_is_not_taken_for_an_empty_one(
    data: dict[str, str], scripted: Any, cluster_on: Any
) -> None:
    server = scripted()
    server.put(state_name("shop"), namespace=NAMESPACE)
    server.objects[NAMESPACE, state_name("shop")]["data"] = data
    with pytest.raises(ConfigError, match="state of source shop"):
        await store_on(server, cluster_on).load("shop")


def test_objects_of_passes_are_bounded() -> None:
    def large(number: int) -> Pass:
        made = passed(number)
        identities = [Identity("", "ConfigMap", "shop", f"{n:04}") for n in range(OBJECTS + 3)]
        results = {i: ObjectResult(i, Action.CREATE, Outcome.DONE) for i in identities}
        return Pass.of(SyncResult("shop", made.revision, made.started, made.finished, results))

    state = SourceState("shop")
    for number in range(4):
        state = state.having_passed(large(number))
    assert [(len(each.objects), each.unlisted) for each in state.history] == [
        (0, OBJECTS + 3),
        (0, OBJECTS + 3),
        (OBJECTS, 3),
        (OBJECTS, 3),
    ]
    assert msgspec.json.decode(msgspec.json.encode(state), type=SourceState) == state


def test_the_state_is_bounded() -> None:
    state = SourceState("shop")
    for number in range(2 * HISTORY):
        state = state.having_passed(passed(number))
    assert state.history == tuple(passed(n) for n in range(HISTORY, 2 * HISTORY))
    assert state.having_passed(passed(2 * HISTORY - 1)) == state
    state = state.holding(Held(Identity("", "ConfigMap", "a", f"{n:04}"), "", "") for n in range(HELD + 7))
    assert (len(state.held), state.held_more) == (HELD, 7)


def test_a_pass_is_kept_in_short() -> None:
    def result(name: str, outcome: Outcome, message: str = "") -> ObjectResult:
        return ObjectResult(Identity("", "ConfigMap", "shop", name), Action.CREATE, outcome, message)

    results = [result("a", Outcome.DONE), result("b", Outcome.DONE), result("c", Outcome.HELD)]
    results += [result(f"f{n}", Outcome.FAILED, "x" * 1000) for n in range(9)]
    kept = Pass.of(SyncResult("shop", REVISION, START, START, {each.identity: each for each in results}))
    assert kept.done == {"create": 2}
    assert kept.failed == 9
    assert len(kept.messages) == 5
    assert all(len(message) <= 300 for message in kept.messages)
    assert not kept.ok


def owned(install: str, source: str, name: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"app.kubernetes.io/managed-by": "reconciler"},
            "annotations": {"reconciler.dev/id": f"{install}/{source}//ConfigMap/shop/{name}"},
            "managedFields": [{"manager": "reconciler", "operation": "Apply"}],
            "resourceVersion": "1",
        }
    }


@virtual
async def test_the_install_is_configured_else_persisted_else_recovered_rule_1(scripted: Any, cluster_on: Any) -> None:
    server = scripted()
    assert await store_on(server, cluster_on).install("prod") == "prod"
    assert server.sent == []
    made = await store_on(server, cluster_on).install(None)
    assert made
    assert await store_on(server, cluster_on).install(None) == made

    lost_one = scripted()
    lost_one.objects["shop", "web"] = owned("uid-1", "shop", "web")
    lost_one.objects["shop", "copy"] = {**owned("uid-2", "shop", "other")}
    lost_one.objects["shop", "copy"]["metadata"]["name"] = "copy"
    assert await store_on(lost_one, cluster_on).install(None) == "uid-1"
    assert await store_on(lost_one, cluster_on).install(None) == "uid-1"

    shared = scripted()
    shared.objects["shop", "web"] = owned("uid-1", "shop", "web")
    shared.objects["shop", "api"] = owned("uid-2", "api", "api")
    with pytest.raises(ConfigError, match="uid-1, uid-2"):
        await store_on(shared, cluster_on).install(None)
    assert await store_on(shared, cluster_on).install(None, ["api"]) == "uid-2"


def test_two_that_start_together_are_one_install(scripted: Any) -> None:
    from reconciler.cluster.cluster import Cluster

    async def main() -> None:
        server = scripted()
        clusters = [Cluster(server, clock=LoopClock(), random=Random(seed)) for seed in range(4)]
        stores = [StateStore(cluster, NAMESPACE, clock=LoopClock()) for cluster in clusters]
        assert len(set(await asyncio.gather(*(store.install(None) for store in stores)))) == 1

    run_virtual(main())
