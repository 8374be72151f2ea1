"""POST /webhooks/<name>: who is believed, what is answered, and that nothing is done for strangers."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp
import pytest
from aiohttp import web
from hooked import SECRET, comment, delivery, pull, push, signed
from loopback import served
from memory_repository import MemoryRepository
from texts import NAMESPACE, config
from virtual import virtual

from reconciler.clock import Clock, LoopClock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.daemon.buckets import Buckets
from reconciler.daemon.daemon import Key, Verb
from reconciler.daemon.pushes import Pushes, concerned
from reconciler.daemon.queue import WorkQueue
from reconciler.daemon.serve import keep
from reconciler.daemon.webhooks import BURST, RESULTS, Webhooks
from reconciler.forge.webhooks import LARGEST, Event, PlanAsked, PullChanged, Push
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Event as Told
from reconciler.model.event import EventType
from reconciler.model.forging import ForgeKind, WebhookConfig
from reconciler.sandbox.server import Sandbox
from reconciler.source.repository import Poll

KIND = ForgeKind.GITHUB


class Receiver:
    """The webhook `hub` on loopback; what it took, and what it counted."""

    def __init__(self, url: str, http: aiohttp.ClientSession, events: list[Event], counted: Counter[str]) -> None:
        self.url = f"{url}/webhooks/hub"
        self.http = http
        self.events = events
        self.counted = counted

    async def post(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        async with self.http.post(self.url, headers=headers, data=io.BytesIO(body)) as answer:
            return answer.status, (await answer.text()).strip()


@asynccontextmanager
async def receiver(
    folder: Path, kind: ForgeKind = KIND, *, wants: bool = True, clock: Clock | None = None
) -> AsyncIterator[Receiver]:
    (folder / "secret").write_text(f"{SECRET}\n")
    events: list[Event] = []
    counted: Counter[str] = Counter()

    def take(event: Event) -> bool:
        events.append(event)
        return wants

    def count(name: str, result: str) -> None:
        assert (name, result in RESULTS) == ("hub", True)
        counted[result] += 1

    app = web.Application()
    hook = WebhookConfig(name="hub", kind=kind, secret_file=str(folder / "secret"))
    Webhooks([hook], clock or SystemClock(), take, count).add_to(app)
    async with served(app) as url, aiohttp.ClientSession() as http:
        yield Receiver(url, http, events, counted)


@pytest.mark.parametrize("kind", list(ForgeKind))
async def test_what_a_forge_says_is_taken_once(tmp_path: Path, kind: ForgeKind) -> None:
    async with receiver(tmp_path, kind) as hook:
        for what, body in (("push", push(kind)), ("pull", pull(kind)), ("comment", comment(kind))):
            assert await hook.post(*delivery(kind, what, body, what)) == (202, "taken")
            assert (await hook.post(*delivery(kind, what, body, what)))[0] == 200
        assert [type(event) for event in hook.events] == [Push, PullChanged, PlanAsked]
        assert hook.counted == {"taken": 3, "repeated": 3}


async def test_for_strangers_nothing_is_done(tmp_path: Path) -> None:
    headers, body = delivery(KIND, "push", push(KIND))
    unsigned = {name: value for name, value in headers.items() if "signature" not in name}
    async with receiver(tmp_path) as hook:
        assert (await hook.post(unsigned, body))[0] == 401
        assert (await hook.post(headers, body + b" "))[0] == 401
        assert (await hook.post(signed(KIND, unsigned, body, "another-secret-of-some-length"), body))[0] == 401
        deep = b"[" * 1_000_000
        assert (await hook.post({**headers, "x-hub-signature-256": "sha256=" + "0" * 64}, deep))[0] == 401
        assert hook.events == []
        assert hook.counted == {"forged": 4}


async def test_what_is_refused_for_its_form(tmp_path: Path) -> None:
    headers, body = delivery(KIND, "push", push(KIND))
    async with receiver(tmp_path) as hook:
        assert (await hook.post(signed(KIND, headers, b"{}"), b"{}"))[0] == 400
        assert (await hook.post({**headers, "content-encoding": "gzip"}, body))[0] == 415
        assert (await hook.post(headers, b"x" * (LARGEST + 1)))[0] == 413
        assert hook.events == []
        assert hook.counted == {"malformed": 2, "large": 1}
        async with hook.http.get(hook.url) as answer:
            assert answer.status == 405
        async with hook.http.post(hook.url + "x", data=b"") as answer:
            assert answer.status == 404


async def test_a_body_whose_length_is_not_said_is_cut_off(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LARGEST // 65_536 + 2):
            yield b"x" * 65_536

    async with receiver(tmp_path) as hook:
        try:
            async with hook.http.post(hook.url, data=endless()) as answer:
                assert answer.status == 413
        except aiohttp.ClientError:  # it hung up before everything was sent
            pass
        assert hook.counted == {"large": 1}


async def test_what_is_nothing_to_us_is_answered_politely(tmp_path: Path) -> None:
    headers, body = delivery(KIND, "push", push(KIND))
    async with receiver(tmp_path, wants=False) as hook:
        assert await hook.post(headers, body) == (200, "nothing to do")
        ping = signed(KIND, {"x-github-event": "ping", "x-github-delivery": "d-9"}, b"{}")
        assert await hook.post(ping, b"{}") == (200, "nothing to do")
        old = delivery(KIND, "pull", pull(KIND, at="2020-01-01T00:00:00Z"), "d-3")
        assert (await hook.post(*old))[0] == 200
        assert hook.counted == {"ignored": 2, "old": 1}


async def test_the_secret_is_read_at_each_delivery(tmp_path: Path) -> None:
    async with receiver(tmp_path) as hook:
        (tmp_path / "secret").unlink()
        assert (await hook.post(*delivery(KIND, "push", push(KIND), "d-1")))[0] == 503
        (tmp_path / "secret").write_text("short")
        assert (await hook.post(*delivery(KIND, "push", push(KIND), "d-2")))[0] == 401
        (tmp_path / "secret").write_text(SECRET)
        assert (await hook.post(*delivery(KIND, "push", push(KIND), "d-3")))[0] == 202


class Still(SystemClock):
    """Time stands still."""

    def monotonic(self) -> float:
        return 0.0


async def test_who_asks_too_often_waits(tmp_path: Path) -> None:
    headers, body = delivery(KIND, "push", push(KIND))
    async with receiver(tmp_path, clock=Still()) as hook:
        answers = [await hook.post(headers, body + b" ") for _ in range(2 * BURST)]
        assert [status for status, _ in answers] == [401] * BURST + [429] * BURST
        assert hook.counted["limited"] == BURST


@virtual
async def test_a_bucket_for_each_address_and_only_so_many() -> None:
    clock = LoopClock()
    buckets = Buckets(clock, rate=2, burst=3)
    assert [buckets.take("a") for _ in range(5)] == [True, True, True, False, False]
    assert buckets.take("b")
    await clock.sleep(1)
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    for number in range(5000):
        buckets.take(str(number))
    assert len(buckets._left) <= 1024


# -- which sources ----------------------------------------------------------------------------------------------------


def source(name: str, url: str = "ssh://git@FORGE.example.com:2222/shop/specs", ref: str = "main") -> SourceConfig:
    return SourceConfig(name=name, url=url, ref=ref)


def test_a_push_concerns_who_watches_the_ref_of_the_repository() -> None:
    sources = [
        source("main"),
        source("https", "https://forge.example.com/shop/specs"),
        source("whole", ref="refs/heads/main"),
        source("head", ref="HEAD"),
        source("other-branch", ref="release"),
        source("tags", ref="semver:>=1.0"),
        source("pinned", ref="a" * 40),
        source("other", "https://forge.example.com/shop/other"),
        SourceConfig(name="resting", url="https://forge.example.com/shop/specs", suspend=True),
    ]
    addresses = ("https://forge.example.com/shop/specs.git", "nonsense")

    def told(ref: str) -> list[str]:
        return list(concerned(Push(addresses, ref, "0" * 40, "1" * 40), sources))

    assert told("refs/heads/main") == ["main", "https", "whole", "head"]
    assert told("refs/heads/release") == ["head", "other-branch"]
    assert told("refs/tags/v1.2.0") == ["tags"]
    assert told("refs/tags/main") == ["main", "https", "tags"]
    assert concerned(Push((), "refs/heads/main", "0" * 40, "1" * 40), sources) == []


def test_before_the_daemon_polls_at_all_there_is_nothing_to_hasten() -> None:
    pushes = Pushes([source("main")])
    event = Push(("https://forge.example.com/shop/specs",), "refs/heads/main", "0" * 40, "1" * 40)
    assert pushes.take(event)
    polled: list[str] = []
    pushes.poll = polled.append
    assert pushes.take(event)
    assert not pushes.take(PullChanged(event.addresses, 7))
    assert polled == ["main"]


# -- in the daemon ----------------------------------------------------------------------------------------------------


class Watched(MemoryRepository):
    """Notes when it is polled; polls by the clock are an hour apart."""

    def __init__(self) -> None:
        super().__init__("shop")
        self.polls = asyncio.Queue[float]()

    async def poll(self) -> Poll:
        self.polls.put_nowait(asyncio.get_running_loop().time())
        found = await super().poll()
        return Poll(found.snapshot, found.changed, found.error, 3600.0)


async def synced(events: asyncio.Queue[Told], commit: str) -> None:
    while (event := await events.get()).type is not EventType.SYNC_FINISHED or event.revision != commit:
        pass


async def test_a_push_is_polled_at_once_and_applied_while_the_next_poll_is_an_hour_away(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    repository = Watched()
    first = repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
    events = asyncio.Queue[Told]()
    clock, random, stop = SystemClock(), Random(7), asyncio.Event()
    cluster = Cluster(Sandbox(clock=LoopClock()).transport(), clock=clock, random=random)
    urls = asyncio.Queue[str]()
    settings = DaemonConfig(
        sources=(SourceConfig(name="shop", url="https://forge.example.com/shop/specs", namespace="shop"),),
        webhooks=(WebhookConfig(name="hub", kind=KIND, secret_file=str(tmp_path / "secret")),),
        listen="127.0.0.1:0",
        state_namespace="default",
    )
    running = asyncio.ensure_future(
        keep(
            settings,
            cluster,
            events.put_nowait,
            stop,
            clock=clock,
            random=random,
            ready=urls.put_nowait,
            open_repository=lambda *_: repository,
        )
    )
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            url = await urls.get()
            await repository.polls.get()
            await synced(events, first)
            commit = repository.commit({"b.yaml": config("b")})
            assert repository.polls.empty()
            headers, body = delivery(KIND, "push", push(KIND))
            async with http.post(f"{url}/webhooks/hub", headers=headers, data=body) as answer:
                assert answer.status == 202
            await repository.polls.get()
            await synced(events, commit)
            async with http.get(f"{url}/metrics") as answer:
                assert 'reconciler_webhook_deliveries_total{result="taken",webhook="hub"} 1.0' in await answer.text()
    finally:
        stop.set()
        await running
        await cluster.close()


@virtual
async def test_many_pushes_are_one_poll_more() -> None:
    """While a poll runs, whatever comes is one more poll after it."""
    clock = LoopClock()
    queue: WorkQueue[Key] = WorkQueue(clock)
    key = Key(Verb.POLL, "shop")
    await queue.add(key)
    assert await queue.get() == key
    before = clock.monotonic()
    for _ in range(1000):
        await queue.add(key)
    assert len(queue) == 1
    await queue.done(key)
    assert await queue.get() == key
    assert clock.monotonic() == before
    assert len(queue) == 0
