"""`reconciler review` beside a daemon, with a real Git, the embedded cluster and forges in memory: from a branch to the
comment, the merge and its result. The reviewer may only read.
"""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from git_repository import Repository
from hooked import SECRET, comment, delivery, push
from hooked import pull as pull_event
from memory_forge import ACCOUNT, TOKEN, MemoryForge, MemoryPull
from texts import NAMESPACE, config

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.daemon.reviews.serve import keep_reviewing
from reconciler.daemon.serve import keep
from reconciler.errors import ConfigError
from reconciler.http.transport import Request, Response, Stream, Transport
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Event, EventType
from reconciler.model.forging import ForgeKind, WebhookConfig
from reconciler.sandbox.server import Sandbox

REPO = "shop/specs"
PATIENCE = 30.0


class ReadOnly:
    """The rights of deploy/review: whoever wants to write, and be it for a dry-run, is refused as Kubernetes does."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.refused: list[Request] = []
        self.hidden = ""  # a part of paths that may not be read either

    async def send(self, request: Request) -> Response:
        if request.method == "GET" and not (self.hidden and self.hidden in request.path):
            return await self._inner.send(request)
        self.refused.append(request)
        verb = {"PATCH": "patch", "POST": "create", "DELETE": "delete", "GET": "list"}.get(request.method, "update")
        message = (
            f'configmaps is forbidden: User "reconciler-review" cannot {verb} resource "configmaps" in API group ""'
        )
        status = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": message}
        return Response(403, {"content-type": "application/json"}, json.dumps(status).encode())

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        return self._inner.stream(request)

    async def close(self) -> None:
        await self._inner.close()


class Shop:
    """Everything: Git, the cluster, a forge, the daemon's and the reviewer's webhooks."""

    def __init__(self, folder: Path, kind: ForgeKind) -> None:
        self.folder = folder
        self.git = Repository(folder / "shop")
        self.git.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "old.yaml": config("old")}, "Start")
        self.forge = MemoryForge.of(kind)
        self.forge.page = 100
        self.repo = self.forge.repository(REPO)
        self.repo.clone = str(self.git.path)
        self.repo.branches["main"] = self.git.git("rev-parse", "main")
        self.sandbox = Sandbox(clock=SystemClock())
        self.read_only = ReadOnly(self.sandbox.transport())
        self.events: list[Event] = []
        (folder / "secret").write_text(SECRET)
        self.source = SourceConfig(name="shop", url=str(self.git.path), namespace="shop", interval=3600.0)
        self.urls: dict[str, str] = {}

    def settings(self, name: str) -> DaemonConfig:
        return DaemonConfig(
            sources=(self.source,),
            install="prod",
            state_namespace="default",
            cache_dir=str(self.folder / name),
            listen="127.0.0.1:0",
            webhooks=(WebhookConfig(name="hub", kind=self.forge.stated, secret_file=str(self.folder / "secret")),),
            forges=(self.forge.config(self.folder, REPO),),
        )

    def branch(self, name: str, files: dict[str, str | bytes | None]) -> str:
        self.git.git("checkout", "--quiet", "-b", name, "main")
        commit = self.git.commit(files, f"On {name}")
        self.git.git("checkout", "--quiet", "main")
        return commit

    def merge(self, pull: MemoryPull, name: str) -> str:
        self.git.git("merge", "--quiet", "--no-ff", "-m", "Merge", name)
        commit = self.git.git("rev-parse", "main")
        self.repo.branches["main"] = commit
        pull.state, pull.merged_as = "merged", commit
        return commit

    async def tell(self, who: str, what: str, body: dict[str, Any], identifier: str) -> int:
        headers, content = delivery(self.forge.stated, what, body, identifier)
        place = {"html_url": "x", "web_url": "x", "clone_url": self.repo.clone, "git_http_url": self.repo.clone}
        for part in ("repository", "project"):
            if part in body:
                body[part] = {**body[part], **{name: value for name, value in place.items() if name in body[part]}}
        headers, content = delivery(self.forge.stated, what, body, identifier)
        async with aiohttp.ClientSession() as http:
            url = f"{self.urls[who]}/webhooks/hub"
            async with http.post(url, headers=headers, data=content) as answer:
                return answer.status

    def ours(self, pull: MemoryPull) -> str:
        texts = [c["body"] for c in pull.comments if c["author"] == ACCOUNT]
        assert len(texts) <= 1
        return texts[0] if texts else ""

    def state(self, pull: MemoryPull) -> str:
        found = self.repo.statuses.get((pull.head, "reconciler/prod"), {}).get("state", "")
        return {"failed": "failure"}.get(found, found)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        cluster = Cluster(self.sandbox.transport(), clock=SystemClock(), random=Random(7))

        async def run(stop: asyncio.Event) -> None:
            await keep(
                self.settings("daemon"), cluster, self.events.append, stop,
                clock=SystemClock(), random=Random(7), ready=lambda url: self.urls.update(daemon=url),
            )  # fmt: skip

        async with _running(run, cluster):
            yield

    @asynccontextmanager
    async def reviewer(self) -> AsyncIterator[None]:
        cluster = Cluster(self.read_only, clock=SystemClock(), random=Random(7))

        async def run(stop: asyncio.Event) -> None:
            await keep_reviewing(
                self.settings("review"), cluster, stop,
                clock=SystemClock(), random=Random(7), connect=self.forge.connect,
                ready=lambda url: self.urls.update(review=url),
            )  # fmt: skip

        async with _running(run, cluster):
            yield


@asynccontextmanager
async def _running(run: Callable[[asyncio.Event], Any], cluster: Cluster) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(run(stop))
    try:
        yield
        assert not task.done(), task
    finally:
        stop.set()
        await task
        await cluster.close()


async def until(condition: Callable[[], object], what: str) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.01)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, ForgeKind.GITHUB)


@pytest.mark.parametrize("kind", [ForgeKind.GITHUB, ForgeKind.GITLAB])
async def test_from_a_branch_to_the_result_of_its_merge(tmp_path: Path, kind: ForgeKind) -> None:
    shop = Shop(tmp_path, kind)
    shop.repo.may["ada"] = "write"
    shop.forge.users.append("ada")
    async with shop.daemon():
        await until(lambda: any(e.type is EventType.SYNC_FINISHED for e in shop.events), "the first sync")
        files: dict[str, str | bytes | None] = {"b.yaml": config("b"), "a.yaml": config("a", "2"), "old.yaml": None}
        pull = shop.repo.pull(7, head=shop.branch("change", files))
        async with shop.reviewer():
            await until(lambda: shop.state(pull) == "success", "a plan")
            text = shop.ours(pull)
            for part in ("ConfigMap/shop/b", "ConfigMap/shop/a", "ConfigMap/shop/old", "compared with the cluster"):
                assert part in text
            pull.head = shop.git.git("rev-parse", "change")
            assert await shop.tell("review", "comment", comment(kind), "c-1") == 202

            commit = shop.merge(pull, "change")
            assert await shop.tell("daemon", "push", push(kind), "p-1") == 202
            done = lambda: any(e.type is EventType.SYNC_FINISHED and e.revision == commit for e in shop.events)  # noqa: E731
            await until(done, "the sync of the merge, an hour before the next poll")
            assert await shop.tell("review", "pull", pull_event(kind), "m-1") == 202
            await until(lambda: "As it was planned." in shop.ours(pull), shop.ours(pull))
    text = shop.ours(pull)
    assert "✅ Applied: " in text
    assert "ConfigMap/shop/old" in text
    assert {r.method for r in shop.read_only.refused} <= {"PATCH"}
    assert all(("dryRun", "All") in r.query for r in shop.read_only.refused), "only dry-runs were tried"


async def test_rules_are_those_of_the_base(shop: Shop) -> None:
    """What a pull request may change about its own review is nothing."""
    rules = "review: {approvers: {deletion: [ann]}}\n"
    shop.repo.branches["main"] = shop.git.commit({"reconciler.yaml": rules}, "Rules")
    async with shop.daemon():
        await until(lambda: any(e.type is EventType.SYNC_FINISHED for e in shop.events), "the first sync")
        head = shop.branch("sly", {"old.yaml": None, "reconciler.yaml": "review: {risks: {deletion: 'off'}}\n"})
        pull = shop.repo.pull(7, head=head)
        async with shop.reviewer():
            await until(lambda: shop.state(pull) == "failure", "it waits")
            assert "waits for the approval of `ann`" in shop.ours(pull)
            pull.reviews.append({"author": "ann", "state": "approve", "commit": head})
            assert await shop.tell("review", "pull", pull_event(ForgeKind.GITHUB), "r-1") == 202
            await until(lambda: shop.state(pull) == "success", "it is approved")


async def test_a_conflict_is_said(shop: Shop) -> None:
    head = shop.branch("change", {"a.yaml": config("a", "theirs")})
    shop.repo.branches["main"] = shop.git.commit({"a.yaml": config("a", "ours")})
    pull = shop.repo.pull(7, head=head)
    async with shop.reviewer():
        await until(lambda: "conflict" in shop.ours(pull), "it is said")
    assert shop.state(pull) == "error"


async def test_reviews_at_the_same_time_do_not_mix(shop: Shop) -> None:
    async with shop.daemon():
        await until(lambda: any(e.type is EventType.SYNC_FINISHED for e in shop.events), "the first sync")
        names = [f"only{number}" for number in range(6)]
        pulls = [
            shop.repo.pull(number, head=shop.branch(name, {f"{name}.yaml": config(name)}), fork=number == 3)
            for number, name in enumerate(names, 1)
        ]
        async with shop.reviewer():
            await until(lambda: all(shop.state(pull) == "success" for pull in pulls), "all of them")
    for pull, name in zip(pulls, names, strict=True):
        assert {other for other in names if f"ConfigMap/shop/{other}" in shop.ours(pull)} == {name}


# -- forks ------------------------------------------------------------------------------------------------------------


async def test_a_fork_is_planned_offline_and_without_the_cluster(shop: Shop) -> None:
    pull = shop.repo.pull(
        8, head=shop.branch("fork", {"b.yaml": config("b"), "a.yaml": config("a", "grün")}), fork=True
    )
    async with shop.reviewer():
        await until(lambda: shop.state(pull) == "success", "a plan")
    text = shop.ours(pull)
    assert "ConfigMap/shop/b" in text
    assert "grün" in text
    assert "compared with the base alone" in text
    assert "planned offline" in text
    assert shop.read_only.refused == []


async def test_rules_of_a_fork_are_those_of_the_base_too(shop: Shop) -> None:
    shop.repo.branches["main"] = shop.git.commit({"reconciler.yaml": "review: {risks: {deletion: block}}\n"})
    files: dict[str, str | bytes | None] = {"old.yaml": None, "reconciler.yaml": "review: {risks: {deletion: 'off'}}\n"}
    pull = shop.repo.pull(8, head=shop.branch("fork", files), fork=True)
    async with shop.reviewer():
        await until(lambda: shop.state(pull) == "failure", "it is blocked")


_LETTERS = "abcdefghijklm"
BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in itertools.pairwise(_LETTERS))


@pytest.mark.parametrize(
    "files",
    [
        {"bomb.yaml": BOMB},
        {"deep.yaml": "[" * 100_000},
        {"bytes.yaml": b"\xff\xfe\x00"},
        {"reconciler.yaml": "review: [\n"},
    ],
    ids=["aliases", "depth", "bytes", "rules"],
)
async def test_what_a_fork_makes_up_hurts_only_itself(shop: Shop, files: dict[str, str | bytes | None]) -> None:
    hostile = shop.repo.pull(8, head=shop.branch("fork", files), fork=True)
    good = shop.repo.pull(9, head=shop.branch("good", {"b.yaml": config("b")}), fork=True)
    async with shop.reviewer():
        await until(lambda: shop.state(good) == "success", "the good one")
        await until(lambda: shop.state(hostile) in ("failure", "error"), "the hostile one")


# -- what may not be seen ---------------------------------------------------------------------------------------------

CANARIES = {name: f"canary-{name}-xyzzy-4711" for name in ("base", "head", "string", "env", "fork", "said")}


def secret(password: str) -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData: {{password: {password}}}\n"


async def test_no_secret_in_any_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canaries wherever an input can hold a secret; then every comment, status, log, metric and answer is searched."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SOME_SECRET", CANARIES["env"])
    shop = Shop(tmp_path, ForgeKind.GITEA)

    shop.repo.branches["main"] = shop.git.commit({"s.yaml": secret(CANARIES["base"])}, "A secret")
    seen: list[str] = []
    async with shop.daemon():
        await until(lambda: any(e.type is EventType.SYNC_FINISHED for e in shop.events), "the first sync")
        broken = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData: {CANARIES['string']}\n"
        changed = shop.branch("head", {"s.yaml": secret(CANARIES["head"]), "b.yaml": config("b")})
        wrong = shop.branch("wrong", {"s.yaml": broken})
        forked = shop.branch("fork", {"s.yaml": secret(CANARIES["fork"])})
        pulls = [
            shop.repo.pull(1, head=changed),
            shop.repo.pull(2, head=wrong),
            shop.repo.pull(3, head=forked, fork=True),
        ]
        async with shop.reviewer():
            for pull in pulls:
                await until(lambda pull=pull: shop.state(pull) in ("success", "failure", "error"), "looked at")
            kind = ForgeKind.GITEA
            assert await shop.tell("review", "comment", comment(kind, f"/plan\n{CANARIES['said']}"), "c-1") in (
                200,
                202,
            )
            shop.merge(pulls[0], "head")
            assert await shop.tell("daemon", "push", push(kind), "p-1") == 202
            await shop.tell("review", "pull", pull_event(kind, 1), "m-1")
            await until(lambda: "After the merge" in shop.ours(pulls[0]), "the result")
            shop.forge.token = "another"
            await shop.tell("review", "pull", pull_event(kind, 2), "m-2")
            await until(lambda: "does not know our token" in caplog.text, "it is said")
            async with aiohttp.ClientSession() as http:
                for who in ("daemon", "review"):
                    for path in ("/metrics", "/readyz", "/webhooks/hub"):
                        async with http.get(f"{shop.urls[who]}{path}") as answer:
                            seen.append(await answer.text())
                async with http.post(f"{shop.urls['review']}/webhooks/hub", data=b"{}") as answer:
                    seen.append(await answer.text())
    for pull in pulls:
        assert shop.ours(pull)
        seen += [c["body"] for c in pull.comments]
    seen += [json.dumps(status) for status in shop.repo.statuses.values()]
    seen += [repr(event) for event in shop.events]
    seen += [caplog.text, *capfd.readouterr()]
    for request in shop.forge.seen:
        seen.append(f"{request.path} {request.query} {request.body!r}")
    whole = "\n".join(seen)
    assert "Secret/shop/db" in whole
    for name, canary in {**CANARIES, "token-file": TOKEN, "webhook-file": SECRET}.items():
        assert canary not in whole, name


async def test_without_a_forge_there_is_nothing_to_review(tmp_path: Path) -> None:
    sources = (SourceConfig(name="shop", url="/srv/shop"),)
    cluster = Cluster(Sandbox(clock=SystemClock()).transport(), clock=SystemClock(), random=Random(7))
    with pytest.raises(ConfigError, match="no forge"):
        await keep_reviewing(
            DaemonConfig(sources=sources), cluster, asyncio.Event(), clock=SystemClock(), random=Random(7)
        )
    await cluster.close()


async def test_a_secret_that_may_not_be_read_is_told_and_the_rest_is_planned(shop: Shop) -> None:
    """deploy/review has no right to read Secrets."""
    shop.read_only.hidden = "/secrets"
    shop.repo.branches["main"] = shop.git.commit({"s.yaml": secret("one")}, "A secret")
    async with shop.daemon():
        await until(lambda: any(e.type is EventType.SYNC_FINISHED for e in shop.events), "the first sync")
        head = shop.branch("change", {"b.yaml": config("b")})
        pull = shop.repo.pull(7, head=head)
        async with shop.reviewer():
            await until(lambda: shop.ours(pull), "a comment")
            assert "ConfigMap/shop/b" in shop.ours(pull)
