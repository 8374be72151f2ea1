"""`reconciler review` after a merge: what the daemon really did, beside what was announced, with faults in between."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fault_transport import Fault
from hooked import pull as pull_event
from hooked import push
from memory_forge import MemoryPull
from shop import Shop, until
from texts import config

from reconciler.http.transport import Request
from reconciler.model.forging import ForgeKind

MAPS = "/api/v1/namespaces/shop/configmaps"
CHANGE: dict[str, str | bytes | None] = {"b.yaml": config("b"), "a.yaml": config("a", "2"), "old.yaml": None}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, ForgeKind.GITHUB)


@asynccontextmanager
async def planned(shop: Shop, *, fork: bool = False) -> AsyncIterator[MemoryPull]:
    """The reviewer runs, and has said what the change would do."""
    pull = shop.repo.pull(7, head=shop.branch("change", CHANGE), fork=fork)
    async with shop.reviewer():
        await until(lambda: shop.state(pull) == "success", "a plan")
        yield pull


async def looked(shop: Shop) -> None:
    assert await shop.tell("review", "pull", pull_event(ForgeKind.GITHUB), "m-1") == 202


async def test_what_fails_is_told_by_object_until_it_is_well(shop: Shop) -> None:
    async with shop.daemon():
        await until(shop.synced, "the first sync")
    async with shop.daemon(), planned(shop) as pull:
        shop.fault_of = lambda r: Fault.FORBIDDEN if r.method == "PATCH" and r.path == f"{MAPS}/b" else None
        shop.merge(pull, "change")
        assert await shop.tell("daemon", "push", push(ForgeKind.GITHUB), "p-1") == 202
        await looked(shop)
        await until(lambda: "❌ Not all of it could be applied" in shop.ours(pull), f"the failure {shop.ours(pull)}")
        text = shop.ours(pull)
        assert "Other than planned: 2 objects; as planned: 1." in text
        assert "`ConfigMap/shop/b`: create announced, and failed (" in text
        assert "`ConfigMap/shop/old`: prune announced, and blocked (waits until" in text
        shop.fault_of = lambda _request: None
        await until(lambda: "As it was planned, object by object: 3." in shop.ours(pull), shop.ours(pull))
    assert "❌" not in shop.ours(pull)


async def test_drift_and_commits_of_others_are_told_apart(shop: Shop) -> None:
    shop.repo.branches["main"] = shop.git.commit({"c.yaml": config("c")}, "One more")
    async with shop.daemon():
        await until(shop.synced, "the first sync")
    async with planned(shop) as pull:
        edit = json.dumps({"data": {"value": "9"}}).encode()
        kind = {"content-type": "application/merge-patch+json"}
        assert (await shop.sandbox.handle(Request("PATCH", f"{MAPS}/c", headers=kind, body=edit))).status == 200
        assert (await shop.sandbox.handle(Request("DELETE", f"{MAPS}/old"))).status == 200
        shop.git.commit({"e.yaml": config("e")}, "Of somebody else")
        commit = shop.merge(pull, "change")
        async with shop.daemon():
            await until(lambda: shop.synced(commit), "the sync of the merge")
            await looked(shop)
            await until(lambda: "After the merge" in shop.ours(pull), f"the result {shop.ours(pull)[-900:]}")
    text = shop.ours(pull)
    assert "✅ Applied: 2 create, 2 update." in text, text
    assert "Other than planned: 3 objects; as planned: 2." in text
    assert "`ConfigMap/shop/c`: not announced: update done (drift: it was changed beside Git)" in text
    assert "`ConfigMap/shop/e`: not announced: create done (other commits, applied together with it" in text
    assert "`ConfigMap/shop/old`: prune announced, and nothing was done (it was gone already, or is kept)" in text


async def test_a_merge_that_is_applied_with_a_later_commit_names_it(shop: Shop) -> None:
    async with shop.daemon():
        await until(shop.synced, "the first sync")
    async with planned(shop) as pull:
        shop.merge(pull, "change")
        later = shop.git.commit({"a.yaml": config("a", "3"), "b.yaml": None}, "Of somebody else")
        async with shop.daemon():
            await until(lambda: shop.synced(later), "the sync of the merge")
            await looked(shop)
            await until(lambda: "After the merge" in shop.ours(pull), f"the result {shop.ours(pull)[-900:]}")
    text = shop.ours(pull)
    assert f"✅ Applied with `{later[:12]}`" in text
    assert "`ConfigMap/shop/b`: create announced, and nothing was done (other commits, applied together" in text
    assert '`ConfigMap/shop/a`: data.value: "2" announced, "3" done (other commits, applied together' in text.replace(
        "\\", ""
    ), text[-900:]
    assert "as planned: 1." in text


async def test_other_contents_of_what_is_new_and_of_secrets_are_told_without_them(shop: Shop) -> None:
    def secret(value: str) -> str:
        return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{password: canary-{value}}}\n"

    shop.repo.branches["main"] = shop.git.commit({"s.yaml": secret("1")}, "A secret")
    async with shop.daemon():
        await until(shop.synced, "the first sync")
    pull = shop.repo.pull(7, head=shop.branch("change", {**CHANGE, "s.yaml": secret("2")}))
    async with shop.reviewer():
        await until(lambda: shop.state(pull) == "success", "a plan")
        shop.merge(pull, "change")
        later = shop.git.commit({"b.yaml": config("b", "9"), "s.yaml": secret("3")}, "Of somebody else")
        async with shop.daemon():
            await until(lambda: shop.synced(later), "the sync of the merge")
            await looked(shop)
            await until(lambda: "After the merge" in shop.ours(pull), f"the result {shop.ours(pull)[-900:]}")
    text = shop.ours(pull)
    assert "`ConfigMap/shop/b`: create done as announced, with other contents (other commits, applied together" in text
    assert "`Secret/shop/s`: update done as announced, with other contents (other commits, applied together" in text
    stored = await shop.sandbox.handle(Request("GET", "/api/v1/namespaces/default/configmaps"))
    assert "canary" not in text + stored.body.decode()


@pytest.mark.parametrize("fork", [False, True])
async def test_a_restart_of_everybody_forgets_nothing(shop: Shop, *, fork: bool) -> None:
    async with shop.daemon():
        await until(shop.synced, "the first sync")
    async with planned(shop, fork=fork) as pull:
        pass
    commit = shop.merge(pull, "change")
    async with shop.daemon():
        await until(lambda: shop.synced(commit), "the sync of the merge")
    async with shop.reviewer():
        await shop.reads()
        await looked(shop)
        await until(
            lambda: "As it was planned, object by object: 3." in shop.ours(pull), f"the result {shop.ours(pull)[-900:]}"
        )
