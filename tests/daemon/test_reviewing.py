"""`reconciler review` beside a daemon, with a real Git, the embedded cluster and forges in memory: from a branch to the
comment, the merge and its result. The reviewer may only read.
"""

import asyncio
import itertools
import json
import logging
import re
from pathlib import Path
from random import Random

import aiohttp
import msgspec
import pytest
from hooked import SECRET, comment, push
from hooked import pull as pull_event
from memory_forge import TOKEN
from shop import Shop, until
from texts import config

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.daemon.reviews.promise import unpacked
from reconciler.daemon.reviews.serve import keep_reviewing
from reconciler.errors import ConfigError
from reconciler.http.transport import Request
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.forging import ForgeKind
from reconciler.sandbox.server import Sandbox


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, ForgeKind.GITHUB)


@pytest.mark.parametrize("kind", [ForgeKind.GITHUB, ForgeKind.GITLAB])
async def test_from_a_branch_to_the_result_of_its_merge(tmp_path: Path, kind: ForgeKind) -> None:
    shop = Shop(tmp_path, kind)
    shop.repo.may["ada"] = "write"
    shop.forge.users.append("ada")
    async with shop.daemon():
        await until(shop.synced, "the first sync")
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
            await until(lambda: shop.synced(commit), "the sync of the merge, an hour before the next poll")
            assert await shop.tell("review", "pull", pull_event(kind), "m-1") == 202
            await until(lambda: "As it was planned, object by object: 3." in shop.ours(pull), shop.ours(pull))
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
        await until(shop.synced, "the first sync")
        head = shop.branch("sly", {"old.yaml": None, "reconciler.yaml": "review: {risks: {deletion: 'off'}}\n"})
        pull = shop.repo.pull(7, head=head)
        async with shop.reviewer():
            await until(lambda: shop.state(pull) == "failure", "it waits")
            assert "waits for the approval of `ann`" in shop.ours(pull)
            pull.reviews.append({"author": "ann", "state": "approve", "commit": head})
            assert await shop.tell("review", "pull", pull_event(ForgeKind.GITHUB), "r-1") == 202
            await until(lambda: shop.state(pull) == "success", "it is approved")


async def test_who_may_not_write_learns_it_once_and_says_so_once(shop: Shop) -> None:
    """A dry-run is refused to a reader: he asks about one object of each kind, and never again at the next reviews."""
    async with shop.daemon():
        await until(shop.synced, "the first sync")
        many: dict[str, str | bytes | None] = {f"new{n}.yaml": config(f"new{n}") for n in range(40)}
        pull = shop.repo.pull(7, head=shop.branch("many", {**many, "a.yaml": config("a", "other")}))
        async with shop.reviewer():
            await until(lambda: shop.state(pull) == "success", "a plan")
            assert 1 <= len(shop.read_only.refused) <= 2, "something new, and something that is there"
            text = shop.ours(pull)
            assert text.count("where ConfigMap could not be tried") == 1
            asked = len(shop.read_only.refused)
            second = shop.repo.pull(8, head=shop.branch("more", {"z.yaml": config("z"), "a.yaml": config("a", "else")}))
            assert await shop.tell("review", "pull", pull_event(ForgeKind.GITHUB, 8), "m-2") == 202
            await until(lambda: shop.state(second) == "success", "the next plan")
            assert "could not be tried" in shop.ours(second)
            assert len(shop.read_only.refused) == asked


async def test_a_conflict_is_said(shop: Shop) -> None:
    head = shop.branch("change", {"a.yaml": config("a", "theirs")})
    shop.repo.branches["main"] = shop.git.commit({"a.yaml": config("a", "ours")})
    pull = shop.repo.pull(7, head=head)
    async with shop.reviewer():
        await until(lambda: "conflict" in shop.ours(pull), "it is said")
    assert shop.state(pull) == "failure"


async def test_reviews_at_the_same_time_do_not_mix(shop: Shop) -> None:
    async with shop.daemon():
        await until(shop.synced, "the first sync")
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


async def test_of_a_fork_it_is_told_why_it_cannot_be_planned(shop: Shop) -> None:
    head = shop.branch("fork", {"a.yaml": config("a", "theirs")})
    shop.repo.branches["main"] = shop.git.commit({"a.yaml": config("a", "ours")})
    pull = shop.repo.pull(8, head=head, fork=True)
    async with shop.reviewer():
        await until(lambda: shop.state(pull) == "failure", "it is said")
    text = shop.ours(pull)
    assert "the head of the fork cannot be planned" in text
    assert "because: source shop: the two revisions conflict: in a.yaml\n" in text
    assert "hint: merge the base into the branch, and solve them there\n" in text
    assert "reconciler-fork-" not in text


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


def secret(password: str, name: str = "db") -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{password: {password}}}\n"


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
        await until(shop.synced, "the first sync")
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
    stored = await shop.sandbox.handle(Request("GET", "/api/v1/namespaces/default/configmaps"))
    seen.append(stored.body.decode())
    for pull in pulls:
        for packed in re.findall(r'"plans":{"shop":"([^"]*)"', shop.ours(pull)):
            seen.append(f"{unpacked(packed)}")
    whole = "\n".join(seen)
    assert "Secret/shop/db" in whole
    assert "Promise(merged=(Deed(identity=Identity(group='', kind='Secret'" in whole
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


async def test_secrets_that_may_not_be_read_are_compared_with_the_base_alone(shop: Shop) -> None:
    """deploy/review has no right to read Secrets: what changes is told all the same, and nothing leaks."""
    shop.read_only.hidden = "/secrets"
    files: dict[str, str | bytes | None] = {f"{name}.yaml": secret(f"{name}-4711", name) for name in ("s", "gone", "z")}
    shop.repo.branches["main"] = shop.git.commit(files, "Secrets")
    async with shop.daemon():
        await until(shop.synced, "the first sync")
        change: dict[str, str | bytes | None] = {
            "b.yaml": config("b"), "s.yaml": secret("other-4711", "s"), "new.yaml": secret("new-4711", "new"),
            "gone.yaml": None,
        }  # fmt: skip
        pull = shop.repo.pull(7, head=shop.branch("change", change))
        async with shop.reviewer():
            await until(lambda: shop.state(pull) == "success", "no danger that blocks")
            text = shop.ours(pull)
            for part in ("ConfigMap/shop/b", "Secret/shop/s", "Secret/shop/new", "Secret/shop/gone", "data.password"):
                assert part in text
            assert text.count("the live state may not be read") == 3
            assert "Secret/shop/z" not in text, "it stays as it is"
            assert "4711" not in text
            commit = shop.merge(pull, "change")
            assert await shop.tell("daemon", "push", push(ForgeKind.GITHUB), "p-1") == 202
            await until(lambda: shop.synced(commit), "the sync of the merge")
            assert await shop.tell("review", "pull", pull_event(ForgeKind.GITHUB), "m-1") == 202
            await until(lambda: "As it was planned, object by object: 4." in shop.ours(pull), shop.ours(pull))


@pytest.mark.parametrize("bound", [False, True])
async def test_what_somebody_else_has_is_read_by_nobody_whose_source_is_bound(shop: Shop, *, bound: bool) -> None:
    """docs/review.md: what a branch can make it show."""
    for path, obj in (
        ("namespaces", {"metadata": {"name": "vault"}}),
        ("namespaces/vault/configmaps", {"metadata": {"name": "app"}, "data": {"value": "theirs-4711", "x": "y-4711"}}),
    ):
        made = Request(
            "POST", f"/api/v1/{path}", headers={"content-type": "application/json"}, body=json.dumps(obj).encode()
        )
        assert (await shop.sandbox.handle(made)).status == 201
    if bound:
        shop.source = msgspec.structs.replace(shop.source, namespaces=("shop",))
    asked = 'metadata: {name: app, namespace: vault, annotations: {reconciler.dev/adopt: "true"}}'
    text = f"apiVersion: v1\nkind: ConfigMap\n{asked}\ndata: {{value: guessed}}\n"
    pull = shop.repo.pull(7, head=shop.branch("curious", {"app.yaml": text}))
    async with shop.reviewer():
        await until(lambda: shop.state(pull) in ("success", "failure"), "a plan")
    assert "vault" in shop.ours(pull)
    assert ("theirs-4711" in shop.ours(pull)) is not bound
    assert "y-4711" not in shop.ours(pull), "what is not stated is not shown"
