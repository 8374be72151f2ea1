"""The daemon tells people: a process beside a cluster and a server that takes messages."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gate import Gate, gate
from git_repository import Repository
from hook_server import HANG, HookServer
from memory_repository import MemoryRepository
from msgspec.structs import replace
from processes import LIMIT, DaemonProcess
from texts import NAMESPACE, config
from virtual import virtual
from virtual_daemon import daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.alerting import AlertsConfig, KubernetesReceiver, LogReceiver, ReceiverConfig
from reconciler.model.config import SourceConfig
from reconciler.model.event import EventType
from reconciler.model.manifest import DriftMode
from reconciler.sandbox.server import Sandbox

SECRET = "/services/T00/hunter2"


class Place:
    """A repository, a cluster and a server that takes messages; daemons come and go."""

    def __init__(self, folder: Path, cluster: Gate, hook: HookServer) -> None:
        self.folder = folder
        self.cluster = cluster
        self.hook = hook
        self.repository = Repository(folder / "repository")
        (folder / "url").write_text(hook.url(SECRET))
        (folder / "secret").write_text("s1gn-hunter2")

    def daemon(self, *receivers: dict[str, Any], drift: str = "alert", wait: float = 0.2) -> DaemonProcess:
        url = str(self.folder / "url")
        http = {"name": "bus", "http": {"urlFile": url, "secretFile": str(self.folder / "secret")}}
        source = {
            "name": "shop", "url": str(self.repository.path), "namespace": "shop", "interval": "1s", "drift": drift
        }  # fmt: skip
        return DaemonProcess(
            self.folder / "daemon",
            [source],
            self.folder / "kubeconfig",
            install="test",
            stateNamespace="default",
            alerts={"receivers": [http, *receivers], "groupWait": wait, "groupInterval": 0.5},
        )

    def call(self, method: str, path: str, body: object = None) -> Any:
        kind = "merge-patch+json" if method == "PATCH" else "json"
        request = Request(
            method,
            path,
            (("fieldManager", "kubectl-edit"),) if body is not None else (),
            {"content-type": f"application/{kind}", "accept": "application/json"},
            msgspec.json.encode(body) if body is not None else b"",
        )
        answer = self.cluster.sandbox.answer(request)
        assert answer.status < 300, answer.body
        return json.loads(answer.body)

    def edit(self, name: str, value: str) -> None:
        self.call("PATCH", f"/api/v1/namespaces/shop/configmaps/{name}", {"data": {"value": value}})

    def told(self) -> list[tuple[str, str, str]]:
        """Type, state and id of each incident that the server took, in order."""
        found = []
        for taken in self.hook.taken:
            body = json.loads(taken.body)
            found += [(body["data"]["topic"], each["state"], each["id"]) for each in body["data"]["incidents"]]
        return found

    def recorded(self) -> list[Any]:
        """The rows of the record."""
        stored = self.call("GET", "/api/v1/namespaces/default/configmaps/reconciler-alerts")
        rows: list[Any] = json.loads(stored["data"]["record"])["incidents"]
        return rows


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    with HookServer() as hook:
        async with gate(folder / "kubeconfig", nodes=False) as cluster:
            yield Place(folder, cluster, hook)


async def until(process: DaemonProcess, condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(process.until, condition, what)


async def test_a_drift_from_beginning_to_end_over_a_restart(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        commit = at.repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "b.yaml": config("b")})
        with at.daemon({"name": "here", "log": {}}, wait=2.0) as process:  # that both are told together
            await asyncio.to_thread(process.until_synced, commit)
            at.edit("a", "5")
            at.edit("b", "6")
            await until(process, lambda: len(at.told()) == 2, "both are told")
            assert [each[:2] for each in at.told()] == [("drift", "began")] * 2
            first = json.loads(at.hook.taken[0].body)["data"]["incidents"][0]
            assert (first["fields"], first["by"][0].split()[0]) == (
                [{"path": "data.value", "wanted": "1", "found": "5"}],
                "kubectl-edit",
            )
            assert first["wanted"].startswith("a.yaml:")
            await until(process, lambda: [row[8] for row in at.recorded()] == [[0, 1], [0, 1]], "it is on record")
            assert "2 objects drifted" in process.output
            assert await asyncio.to_thread(process.terminate) < LIMIT
            said = process.output

        with at.daemon({"name": "here", "log": {}}) as process:
            await until(process, lambda: len(process.heard("drifted")) == 2, "it is still so")
            at.repository.commit({"a.yaml": config("a", "5")}, "As it is")
            await until(process, lambda: len(at.told()) == 3, "its end is told")
            over = [identity for topic, state, identity in at.told() if state == "ended"]
            assert over == [first["id"]], "under its id, and nothing was told again"
            delivered = 'reconciler_alert_deliveries_total{receiver="bus",result="delivered"} 1.0'
            await until(process, lambda: delivered in process.ask("/metrics")[1], "the answer has come, too")
            assert 'reconciler_alert_queue_depth{receiver="bus"} 0.0' in process.ask("/metrics")[1]
            assert await asyncio.to_thread(process.terminate) < LIMIT
            said += process.output
        assert "hunter2" not in said
        assert "Traceback" not in said


async def test_killed_as_the_message_arrives_it_is_told_exactly_once_more_under_the_same_id(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        commit = at.repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
        with at.daemon() as process:
            await asyncio.to_thread(process.until_synced, commit)
            at.hook.on_taken = process.kill
            at.edit("a", "5")
            await asyncio.to_thread(at.hook.wait, 1)
        at.hook.on_taken = lambda: None
        for _ in range(2):
            with at.daemon() as process:
                await until(process, lambda: process.heard("drifted"), "it is still so")
                await until(process, lambda: [row[8] for row in at.recorded()] == [[0]], "it is on record")
                await asyncio.to_thread(process.terminate)
        (one, two) = at.told()
        assert one == two
        assert one[:2] == ("drift", "began")
        events = [json.loads(taken.body)["id"] for taken in at.hook.taken]
        assert events[0] == events[1], "so does the message itself"


async def test_a_receiver_that_fails_hangs_and_recovers(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        at.hook.answers = [500, 429, HANG, 200]
        at.hook.headers = {"Retry-After": "1"}
        commit = at.repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
        with at.daemon({"name": "here", "log": {}}) as process:
            await asyncio.to_thread(process.until_synced, commit)
            at.edit("a", "5")
            await until(process, lambda: "ConfigMap/shop/a drifted" in process.output, "the other receiver is told")
            await until(process, lambda: len(at.hook.taken) == 3, "it hangs")
            at.cluster.hangs = True
            assert await asyncio.to_thread(process.terminate) < LIMIT, (
                "neither a message nor a record that hangs keep it"
            )
            at.cluster.hangs = False
            assert "hunter2" not in process.output
            assert "receiver bus was not told, it is tried again: it answered 429" in process.output
        with at.daemon() as process:
            await until(process, lambda: at.hook.accepted, "it is told")
            await until(process, lambda: [row[8] for row in at.recorded()] == [[0]], "it is on record")
            assert await asyncio.to_thread(process.terminate) < LIMIT
        ids = {identity for _, _, identity in at.told()}
        assert len(ids) == 1


SHOP = SourceConfig(name="shop", url="/srv/shop", namespace="shop", drift=DriftMode.ALERT)
TO_THE_LOG = AlertsConfig((ReceiverConfig("here", log=LogReceiver()),))


def said(capture: pytest.CaptureFixture[str]) -> list[str]:
    """The titles in the log since the last look."""
    lines = capture.readouterr().err.splitlines()
    return [line.split(" alert: ")[1].partition("; ")[0] for line in lines if " alert: " in line]


@virtual
async def test_what_ended_while_the_daemon_was_away_is_told_after_its_first_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository = MemoryRepository("shop")
    repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "bad.yaml": "kind: ["})
    sandbox = Sandbox(clock=LoopClock())
    async with daemon(sandbox.transport(), {"shop": repository}, sources=[SHOP], alerts=TO_THE_LOG) as running:
        await asyncio.sleep(100)
        assert said(capsys) == ["shop: bad.yaml is invalid"]
        other = sandbox.transport()
        path = "/api/v1/namespaces/shop/configmaps/a"
        await other.send(Request("DELETE", path))
        await asyncio.sleep(100)
        assert said(capsys) == ["shop: ConfigMap/shop/a was deleted"]
        before = running.requests()
        await asyncio.sleep(1000)
        spent = {key for key in running.requests() - before if key[0] != "watch"}
        assert spent == set(), "what lasts costs no request"
    repository.commit({"bad.yaml": None, "a.yaml": None})
    async with daemon(sandbox.transport(), {"shop": repository}, sources=[SHOP], alerts=TO_THE_LOG):
        await asyncio.sleep(50)
        assert said(capsys) == []
        await asyncio.sleep(100)
        assert sorted(said(capsys)) == [
            "shop: ConfigMap/shop/a is as Git states it again",
            "shop: bad.yaml is valid again",
        ]
    async with daemon(sandbox.transport(), {"shop": repository}, sources=[SHOP], alerts=TO_THE_LOG):
        await asyncio.sleep(1000)
        assert said(capsys) == []


@virtual
async def test_a_thousand_objects_edited_at_once_are_healed_and_few_messages(
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository = MemoryRepository("shop")
    repository.commit({"ns.yaml": NAMESPACE, **{f"c{n}.yaml": config(f"c{n}") for n in range(1000)}})
    sandbox = Sandbox(clock=LoopClock())
    healing = replace(SHOP, drift=DriftMode.HEAL)
    async with daemon(sandbox.transport(), {"shop": repository}, sources=[healing], alerts=TO_THE_LOG) as running:
        await running.until(lambda: running.heard(EventType.SYNC_FINISHED))
        other = sandbox.transport()
        for n in range(1000):
            body = msgspec.json.encode({"data": {"value": "5"}})
            headers = {"content-type": "application/merge-patch+json"}
            path = f"/api/v1/namespaces/shop/configmaps/c{n}"
            await other.send(Request("PATCH", path, (("fieldManager", "kubectl-edit"),), headers, body))
        await running.until(lambda: len(running.heard(EventType.HEALED)) == 1000)
        await asyncio.sleep(600)
        assert said(capsys) == ["shop: 1,000 objects drifted and were healed"]


@virtual
async def test_without_receivers_nothing_is_written() -> None:
    repository = MemoryRepository("shop")
    repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "bad.yaml": "kind: ["})
    sandbox = Sandbox(clock=LoopClock())
    async with daemon(sandbox.transport(), {"shop": repository}, sources=[SHOP]) as running:
        await asyncio.sleep(100)
        assert running.heard(EventType.INVALID)
    maps = await get(sandbox, "/api/v1/namespaces/default/configmaps")
    assert {each["metadata"]["name"] for each in maps} == {"reconciler-install", "reconciler-state-shop"}


@virtual
async def test_events_of_kubernetes_are_written_by_the_daemon() -> None:
    repository = MemoryRepository("shop")
    repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
    sandbox = Sandbox(clock=LoopClock())
    alerts = AlertsConfig((ReceiverConfig("beside", kubernetes=KubernetesReceiver()),))
    healing = replace(SHOP, drift=DriftMode.HEAL)
    async with daemon(
        sandbox.transport(), {"shop": repository}, sources=[healing], alerts=alerts, install="prod-eu"
    ) as running:
        await running.until(lambda: running.heard(EventType.SYNC_FINISHED))
        await sandbox.transport().send(Request("DELETE", "/api/v1/namespaces/shop/configmaps/a"))
        await asyncio.sleep(30)
        (event,) = await get(sandbox, "/apis/events.k8s.io/v1/namespaces/shop/events")
        assert (event["reason"], event["type"]) == ("DriftPassed", "Normal")
        assert event["note"].startswith("prod-eu/shop: ConfigMap/shop/a was deleted, and is there again")
        assert event["regarding"]["uid"]


SECRET_OBJECT = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: pass-of-git}
"""


@virtual
async def test_no_secret_is_told_or_kept(capsys: pytest.CaptureFixture[str]) -> None:
    repository = MemoryRepository("shop")
    repository.commit({"ns.yaml": NAMESPACE, "db.yaml": SECRET_OBJECT})
    sandbox = Sandbox(clock=LoopClock())
    alerts = AlertsConfig(
        (ReceiverConfig("here", log=LogReceiver()), ReceiverConfig("beside", kubernetes=KubernetesReceiver()))
    )
    async with daemon(sandbox.transport(), {"shop": repository}, sources=[SHOP], alerts=alerts) as running:
        await running.until(lambda: running.heard(EventType.SYNC_FINISHED))
        body = json.dumps({"data": {"password": base64.b64encode(b"pass-of-mallory").decode()}}).encode()
        headers = {"content-type": "application/merge-patch+json"}
        path = "/api/v1/namespaces/shop/secrets/db"
        await sandbox.transport().send(Request("PATCH", path, (("fieldManager", "mallory"),), headers, body))
        await asyncio.sleep(60)
        out = capsys.readouterr().err
        assert "alert: shop: Secret/shop/db drifted" in out
        assert "by mallory" in out
        events = await get(sandbox, "/apis/events.k8s.io/v1/namespaces/shop/events")
        maps = await get(sandbox, "/api/v1/namespaces/default/configmaps")
    assert len(events) == 1
    for word in (b"pass-of-git", b"pass-of-mallory"):
        for form in (word, base64.b64encode(word)):
            assert form.decode() not in out + json.dumps([events, maps])


async def get(sandbox: Sandbox, path: str) -> list[Any]:
    """The items of a list."""
    answer = await sandbox.transport().send(Request("GET", path, (), {"accept": "application/json"}))
    items: list[Any] = json.loads(answer.body)["items"]
    return items
