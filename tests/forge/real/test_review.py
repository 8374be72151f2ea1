"""`reconciler review` and `reconciler run` as processes beside a real Gitea, which tells them what happens itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from gate import gate
from gitea_server import Gitea
from gitea_shop import Shop
from hooked import SECRET
from processes import PATIENCE, DaemonProcess
from texts import config

RULES = "review: {approvers: {deletion: [bea]}}\n"
EVENTS = ("push", "pull_request", "issue_comment", "status")  # docs/webhooks.md


class ReviewProcess(DaemonProcess):
    verb = ("review",)


class Desk:
    """The shop, and what both processes are told of it."""

    def __init__(self, gitea: Gitea, folder: Path) -> None:
        self.folder = folder
        self.shop = Shop(gitea, folder, folder.name)
        self.shop.git.commit({"reconciler.yaml": RULES}, "Rules")
        self.shop.push("main")
        (folder / "secret").write_text(SECRET)
        forge = {"name": "git", "kind": "gitea", "url": gitea.url, "repositories": [self.shop.name]}
        self.stated = {
            "install": "prod",
            "stateNamespace": "default",
            "webhooks": [{"name": "git", "kind": "gitea", "secretFile": str(folder / "secret")}],
            "forges": [{**forge, "tokenFile": str(folder / "token")}],
        }

    def start(self, kind: type[DaemonProcess], name: str) -> DaemonProcess:
        source = {"name": "shop", "url": self.shop.url, "namespace": "shop", "interval": 3600}
        return kind(self.folder / name, [source], self.folder / "kubeconfig", **self.stated)

    def hook(self, process: DaemonProcess, *events: str) -> None:
        """Have Gitea tell a process what happens."""
        stated = {"url": f"{process.url}/webhooks/git", "content_type": "json", "secret": SECRET}
        self.shop.ask("POST", "/hooks", {"type": "gitea", "active": True, "events": events, "config": stated})

    def ours(self, number: int) -> dict[str, Any]:
        """The bot's only comment."""
        found = [comment for comment in self.shop.comments(number) if comment["user"]["login"] == "bot"]
        assert len(found) <= 1, found
        return found[0] if found else {"id": 0, "body": ""}

    def status(self, commit: str) -> tuple[str, str]:
        """The state and the description of a commit's only status."""
        found = self.shop.ask("GET", f"/commits/{commit}/status")["statuses"] or [{"status": "", "description": ""}]
        assert len(found) == 1, found
        return found[0]["status"], found[0]["description"]


def counted(process: DaemonProcess, result: str) -> int:
    """Deliveries of which that came."""
    name = f'reconciler_webhook_deliveries_total{{result="{result}",webhook="git"}} '
    return sum(int(float(line[len(name) :])) for line in process.ask("/metrics")[1].splitlines() if name in line)


@pytest.fixture
async def desk(gitea: Gitea, tmp_path: Path) -> AsyncIterator[Desk]:
    async with gate(tmp_path / "kubeconfig", nodes=False):  # on this loop, so what waits is in a thread
        yield await asyncio.to_thread(Desk, gitea, tmp_path)


async def told(desk: Desk, story: Callable[[Desk, DaemonProcess, DaemonProcess], None]) -> None:
    """A story beside a daemon that has applied main, and a reviewer that has read what there is."""

    def tell() -> None:
        with desk.start(DaemonProcess, "daemon") as daemon, desk.start(ReviewProcess, "reviewer") as reviewer:
            daemon.until_synced(desk.shop.tip("main"))
            reviewer.until(lambda: reviewer.ask("/readyz")[0] == 200, "it has read what there is")
            story(desk, daemon, reviewer)
            assert reviewer.terminate() < PATIENCE

    await asyncio.to_thread(tell)


def from_a_branch_to_the_result_of_its_merge(desk: Desk, daemon: DaemonProcess, reviewer: DaemonProcess) -> None:
    shop, seen = desk.shop, reviewer.until
    desk.hook(daemon, "push")
    desk.hook(reviewer, *EVENTS)

    head = shop.branch("change", {"b.yaml": config("b"), "a.yaml": config("a", "2")})
    number = shop.pull("change")
    seen(lambda: desk.status(head)[0] == "success", "it is planned")
    first = desk.ours(number)
    assert "ConfigMap/shop/b" in first["body"]

    head = shop.branch("change", {"c.yaml": config("c"), "old.yaml": None})
    seen(lambda: desk.status(head) == ("failure", "waits for approval of deletion"), "what was pushed is planned")
    second = desk.ours(number)
    assert second["id"] == first["id"], "edited in place"
    assert "ConfigMap/shop/c" in second["body"]
    assert "waits for the approval of `bea`" in second["body"]

    shop.review(number, "APPROVED", "eve")
    shop.review(number, "COMMENT", "bea")
    shop.review(number, "APPROVED", "bea")
    seen(lambda: desk.status(head)[0] == "success", "bea approves")
    shop.review(number, "REQUEST_CHANGES", "bea")
    seen(lambda: desk.status(head)[0] == "failure", "bea has second thoughts")
    shop.review(number, "APPROVED", "bea")
    seen(lambda: desk.status(head)[0] == "success", "bea approves again")

    shop.ask("DELETE", f"/issues/comments/{first['id']}")
    shop.ask("POST", f"/issues/{number}/comments", {"body": "/plan"})
    seen(lambda: desk.ours(number)["id"] > first["id"], "a comment that was deleted is written again")

    merged = shop.merge(number)
    daemon.until_synced(merged)
    shown = lambda: "As it was planned, object by object: " in desk.ours(number)["body"]  # noqa: E731
    seen(shown, "the result of the merge, which is asked for with growing pauses", seconds=3 * PATIENCE)
    assert "✅ Applied: " in desk.ours(number)["body"]

    assert counted(daemon, "taken") == 1
    assert counted(reviewer, "taken") >= 8
    assert [counted(reviewer, each) for each in ("malformed", "forged", "old", "limited")] == [0, 0, 0, 0]
    assert "WARNING" not in reviewer.output


async def test_from_a_branch_to_the_result_of_its_merge(desk: Desk) -> None:
    await told(desk, from_a_branch_to_the_result_of_its_merge)


def a_status_in_our_name(desk: Desk, _daemon: DaemonProcess, reviewer: DaemonProcess) -> None:
    shop, seen = desk.shop, reviewer.until
    desk.hook(reviewer, *EVENTS)
    head = shop.branch("change", {"old.yaml": None})
    shop.pull("change")
    waits = ("failure", "waits for approval of deletion")
    seen(lambda: desk.status(head) == waits, "it is planned")
    shop.ask("POST", f"/statuses/{head}", {"state": "success", "context": "reconciler/prod/main"}, who="bea")
    seen(lambda: desk.status(head) == waits, "what somebody else said in our name is gone")
    seen(lambda: "was set by bea: it becomes failure again" in reviewer.output, "and the log says so")


async def test_a_status_in_our_name(desk: Desk) -> None:
    await told(desk, a_status_in_our_name)


def forks_and_commands(desk: Desk, _daemon: DaemonProcess, reviewer: DaemonProcess) -> None:
    shop, seen = desk.shop, reviewer.until
    desk.hook(reviewer, *EVENTS)
    fork = shop.fork("eve")
    head = shop.branch("theirs", {"b.yaml": config("b")}, who="eve", to=fork)
    number = shop.pull("eve:theirs", who="eve")
    seen(lambda: desk.status(head)[0] == "success", "the plan of a fork")
    assert "planned offline" in desk.ours(number)["body"]
    assert "ConfigMap/shop/b" in desk.ours(number)["body"]

    def reviews() -> float:
        name = 'reconciler_reviews_total{forge="git",state="success"} '
        return sum(float(line[len(name) :]) for line in reviewer.ask("/metrics")[1].splitlines() if name in line)

    before, shown = reviews(), desk.ours(number)["updated_at"]
    for who in ("eve", "bea"):
        shop.ask("POST", f"/issues/{number}/comments", {"body": "/plan"}, who=who)
    seen(lambda: reviews() > before, "bea may ask")
    assert desk.ours(number)["updated_at"] == shown, "and nothing is written where it says so already"

    shop.push("main", new_name="release")
    shop.ask("PATCH", f"/pulls/{number}", {"base": "release"})
    head = shop.branch("theirs", {"c.yaml": config("c")}, who="eve", to=fork)
    shop.ask("POST", f"/issues/{number}/comments", {"body": "another base is not ours"})
    shop.ask("PATCH", f"/pulls/{number}", {"base": "main"})
    seen(lambda: desk.status(head)[0] == "success", "it comes back")


async def test_forks_and_commands(desk: Desk) -> None:
    await told(desk, forks_and_commands)


def a_token_that_is_withdrawn(desk: Desk, _daemon: DaemonProcess, reviewer: DaemonProcess) -> None:
    shop = desk.shop
    desk.hook(reviewer, *EVENTS)
    token = desk.folder / "token"
    good = token.read_text()
    token.write_text("0" * 40)
    head = shop.branch("change", {"b.yaml": config("b")})
    shop.pull("change")
    reviewer.until(lambda: "the forge does not know our token" in reviewer.output, "it says so")
    token.write_text(good)
    shop.ask("POST", "/issues/1/comments", {"body": "/plan"})
    reviewer.until(lambda: desk.status(head)[0] == "success", "it goes on with a good one")
    assert "0" * 40 not in reviewer.output


async def test_a_token_that_is_withdrawn(desk: Desk) -> None:
    await told(desk, a_token_that_is_withdrawn)


def a_renamed_repository(desk: Desk, _daemon: DaemonProcess, reviewer: DaemonProcess) -> None:
    shop = desk.shop
    head = shop.branch("change", {"b.yaml": config("b")})
    number = shop.pull("change")
    desk.hook(reviewer, *EVENTS)
    shop.ask("POST", f"/issues/{number}/comments", {"body": "/plan"})
    reviewer.until(lambda: desk.status(head)[0] == "success", "it is planned")
    new = f"{shop.name}-renamed"
    shop.ask("PATCH", "", {"name": new.partition("/")[2]})
    shop.name = new
    head = shop.branch("change", {"c.yaml": config("c")})
    with desk.start(ReviewProcess, "another") as another:
        another.until(lambda: desk.status(head)[0] == "success", "the forge finds it by its old name")
    assert "ConfigMap/shop/c" in desk.ours(number)["body"]


async def test_a_renamed_repository(desk: Desk) -> None:
    await told(desk, a_renamed_repository)
