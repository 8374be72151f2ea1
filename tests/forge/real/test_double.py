"""The double answers as the real one: the same client asks both the same, and what the double says, Gitea says too."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from gitea_server import PAGE, Gitea, Refused
from gitea_shop import SCOPES, Shop
from memory_forge import MemoryCommit, MemoryForge, MemoryRepository
from texts import config

from reconciler.clock import SystemClock
from reconciler.errors import ForgeDenied, ForgeError, ForgeMissing, ForgeUnreachable
from reconciler.forge.forge import Approval, CommitState, CommitStatus, Forge, Pull
from reconciler.forge.open import open_forge
from reconciler.http.client import HttpTransport
from reconciler.http.transport import Request, Response, Stream, Transport
from reconciler.model.forging import ForgeKind


class Recorded:
    """A Transport that notes what is asked and answered."""

    def __init__(self, inner: Transport, seen: list[tuple[Request, Response]]) -> None:
        self._inner = inner
        self._seen = seen

    async def send(self, request: Request) -> Response:
        answer = await self._inner.send(request)
        self._seen.append((request, answer))
        return answer

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        return self._inner.stream(request)

    async def close(self) -> None:
        await self._inner.close()


class Side(NamedTuple):
    """The client of the one or the other, and what it exchanged."""

    forge: Forge
    seen: list[tuple[Request, Response]]


class Both:
    """The shop on Gitea, and the same in memory."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop = shop
        self.memory = MemoryForge.of(ForgeKind.GITEA)
        self.memory.page = PAGE
        self.memory.account = "bot"
        self.repo: MemoryRepository = self.memory.repository(shop.name)
        self.repo.branches["main"] = shop.tip("main")
        random, clock = Random(7), SystemClock()
        said: list[tuple[Request, Response]] = []
        meant: list[tuple[Request, Response]] = []
        real = open_forge(shop.config(), lambda base, _ca: Recorded(HttpTransport(base), said), clock, random)
        folder.mkdir()
        connect = self.memory.connect
        stated = self.memory.config(folder)
        double = open_forge(stated, lambda base, ca: Recorded(connect(base, ca), meant), clock, random)
        self.real, self.double = Side(real, said), Side(double, meant)

    async def ask(self, question: Callable[[Forge], Awaitable[Any]]) -> Any:
        """What both answer, which is the same."""
        answers = []
        for forge, seen in (self.real, self.double):
            seen.clear()
            try:
                answers.append(_plain(await question(forge)))
            except ForgeError as error:
                answers.append(type(error))
        said, meant = self.real.seen, self.double.seen
        assert [_asked(request) for request, _ in said] == [_asked(request) for request, _ in meant]
        for (request, real), (_, double) in zip(said, meant, strict=True):
            assert real.status == double.status, (request, real, double)
            assert _more(real) == _more(double)
            if double.status < 300:
                within(json.loads(double.body), json.loads(real.body), f"{request.method} {request.path}")
        assert answers[0] == answers[1]
        return answers[0]

    async def close(self) -> None:
        await self.real.forge.close()
        await self.double.forge.close()


def _asked(request: Request) -> tuple[Any, ...]:
    """A comment has another number here and there."""
    path = re.sub(r"/issues/comments/\d+$", "/issues/comments/…", request.path)
    return request.method, path, request.query, request.body


def _more(answer: Response) -> bool:
    return 'rel="next"' in answer.headers.get("link", "")


def _plain(answer: Any) -> Any:
    """Without what only one of them can know: addresses, and the base as it was when somebody last looked."""
    if isinstance(answer, Pull):
        return replace(answer, url="", base_commit="")
    many = isinstance(answer, list | tuple)
    return [_plain(each) if isinstance(each, Pull) else each for each in answer] if many else answer


def within(said: Any, real: Any, where: str) -> None:
    """Whatever fields the double has, Gitea has with the same type of value."""
    assert type(said) is type(real), (where, said, real)
    if isinstance(said, dict):
        assert not set(said) - set(real), where
        for name, value in said.items():
            within(value, real[name], f"{where}.{name}")
    if isinstance(said, list):
        assert len(said) == len(real), (where, said, real)
        for number, (each, other) in enumerate(zip(said, real, strict=True)):
            within(each, other, f"{where}[{number}]")


@pytest.fixture
async def both(gitea: Gitea, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    made = Both(Shop(gitea, tmp_path, request.node.name.replace("_", "-")[:60]), tmp_path / "memory")
    yield made
    await made.close()


async def test_pull_requests_of_every_state(both: Both) -> None:
    shop, repo = both.shop, both.repo
    label = shop.ask("POST", "/labels", {"name": "urgent", "color": "#ff0000"})["id"]
    head = shop.branch("topic/grün", {"b.yaml": config("b")})
    assert shop.pull("topic/grün", labels=[label]) == 1
    repo.pull(1, head=head, branch="topic/grün", title="Change topic/grün", labels=("urgent",))

    head = shop.branch("closed", {"c.yaml": config("c")})
    assert shop.pull("closed", who="bea") == 2
    shop.ask("PATCH", "/pulls/2", {"state": "closed"})
    repo.pull(2, head=head, branch="closed", author="bea", title="Change closed", state="closed")

    head = shop.branch("draft", {"d.yaml": config("d")})
    assert shop.pull("draft", title="WIP: draft") == 3
    repo.pull(3, head=head, branch="draft", title="WIP: draft", draft=True)

    for who, number in (("eve", 4), ("bea", 5)):
        fork = shop.fork(who)
        head = shop.branch(f"fork-{who}", {f"{who}.yaml": config(who)}, who=who, to=fork)
        assert shop.pull(f"{who}:fork-{who}", who=who) == number
        repo.pull(number, head=head, branch=f"fork-{who}", author=who, title=f"Change {who}:fork-{who}", fork=True)
    shop.gitea.ask("DELETE", f"/repos/{fork}", who="bea")
    repo.pulls[5].fork_deleted, repo.pulls[5].state, repo.pulls[5].branch = True, "closed", "refs/pull/5/head"

    shop.push("main", new_name="release/1")
    repo.branches["release/1"] = shop.tip("main")
    head = shop.branch("other", {"e.yaml": config("e")})
    assert shop.pull("other", base="release/1") == 6
    repo.pull(6, head=head, branch="other", base="release/1", title="Change other")

    for number, (how, deleted) in enumerate((("merge", True), ("squash", False), ("rebase", False)), 7):
        head = shop.branch(how, {f"{how}.yaml": config(how)})
        assert shop.pull(how) == number
        merged = shop.merge(number, how, delete_branch_after_merge=deleted)
        branch = f"refs/pull/{number}/head" if deleted else how
        repo.pull(number, head=head, branch=branch, title=f"Change {how}", state="merged", merged_as=merged)
        repo.branches["main"] = merged

    for number in range(1, 10):
        await both.ask(lambda forge, number=number: forge.pull(shop.name, number))
    await both.ask(lambda forge: forge.pull(shop.name, 99))
    await both.ask(lambda forge: forge.pull("ada/nothing", 1))
    for base in ("main", "release/1", "nothing"):
        await both.ask(lambda forge, base=base: listed(forge.pulls(shop.name, base)))
        await both.ask(lambda forge, base=base: forge.merged(shop.name, base))
        await both.ask(lambda forge, base=base: forge.tip(shop.name, base))


async def listed(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def test_comments_and_what_people_do_to_them(both: Both) -> None:
    shop, repo = both.shop, both.repo
    head = shop.branch("change", {"b.yaml": config("b")})
    number = shop.pull("change")
    pull = repo.pull(number, head=head)

    async def comments(forge: Forge) -> list[tuple[str, str]]:
        return [(comment.author, comment.text) async for comment in forge.comments(shop.name, number)]

    assert await both.ask(comments) == []
    for each in range(2 * PAGE):
        shop.ask("POST", f"/issues/{number}/comments", {"body": f"comment {each}"})
        both.memory.comment(pull, "ada", f"comment {each}")
    text = "<!-- a mark {} -->\n## Grün\n\n<details>\n\n```\n| x |\n```\n\n</details>\n"
    ids: list[int] = []

    async def say(forge: Forge) -> None:
        ids.append(await forge.say(shop.name, number, text))

    await both.ask(say)
    assert (await both.ask(comments))[-1] == ("bot", text)

    async def edit(forge: Forge) -> None:
        await forge.edit(shop.name, number, ids[0 if forge is both.real.forge else 1], text + "more\n")

    await both.ask(edit)
    assert (await both.ask(comments))[-1] == ("bot", text + "more\n")
    shop.ask("DELETE", f"/issues/comments/{ids[0]}")
    pull.comments.pop()
    assert len(await both.ask(comments)) == 2 * PAGE
    assert await both.ask(edit) is ForgeMissing
    assert await both.ask(lambda forge: forge.say(shop.name, 99, "to nobody")) is ForgeUnreachable, "it says 500"


async def test_the_longest_comment(both: Both) -> None:
    shop = both.shop
    number = shop.pull(_changed(shop, "change"))
    forge = both.real.forge
    await forge.say(shop.name, number, "ü" * forge.longest)
    assert [len(comment.text) async for comment in forge.comments(shop.name, number)] == [forge.longest]


async def test_statuses(both: Both) -> None:
    shop = both.shop
    head = shop.branch("change", {"b.yaml": config("b")})
    both.repo.pull(shop.pull("change"), head=head)
    for state in CommitState:
        status = CommitStatus(state, "reconciler/prod", "ü" * 200, "https://git.example.com/1")
        await both.ask(lambda forge, status=status: forge.state(shop.name, head, status))
        combined = shop.ask("GET", f"/commits/{head}/status")
        (shown,) = combined["statuses"]
        assert (shown["status"], shown["context"], len(shown["description"])) == (state.value, "reconciler/prod", 140)
    unknown = CommitStatus(CommitState.PENDING, "reconciler/prod", "of nothing")
    with pytest.raises(ForgeError):
        await both.real.forge.state(shop.name, "1" * 40, unknown)


async def test_approvals_over_their_lives(both: Both) -> None:
    shop, repo = both.shop, both.repo
    for name in ("cy", "dee"):
        with contextlib.suppress(Refused):  # another test made them
            shop.gitea.user(name)
        shop.ask("PUT", f"/collaborators/{name}", {"permission": "write"})
    head = shop.branch("change", {"b.yaml": config("b")})
    number = shop.pull("change")
    pull = repo.pull(number, head=head)

    def reviewed(who: str, state: str, event: str) -> int:
        pull.reviews.append({"author": who, "state": state, "commit": pull.head})
        return shop.review(number, event, who)

    async def approvals(forge: Forge) -> set[Approval]:
        return set(await forge.approvals(shop.name, number))

    assert await both.ask(approvals) == set()
    first = reviewed("bea", "approve", "APPROVED")
    reviewed("cy", "approve", "APPROVED")
    reviewed("eve", "comment", "COMMENT")
    assert await both.ask(approvals) == {Approval("bea", head), Approval("cy", head)}
    reviewed("cy", "refuse", "REQUEST_CHANGES")
    assert await both.ask(approvals) == {Approval("bea", head)}
    reviewed("bea", "comment", "COMMENT")
    assert await both.ask(approvals) == {Approval("bea", head)}, "a remark takes nothing back"
    pull.head = shop.branch("change", {"c.yaml": config("c")})
    reviewed("dee", "approve", "APPROVED")
    assert await both.ask(approvals) == {Approval("bea", head), Approval("dee", pull.head)}
    shop.ask("POST", f"/pulls/{number}/reviews/{first}/dismissals", {"message": "too old"})
    pull.reviews[0]["dismissed"] = True
    assert await both.ask(approvals) == {Approval("dee", pull.head)}
    reviewed("eve", "approve", "APPROVED")
    assert await both.ask(approvals) == {Approval("dee", pull.head), Approval("eve", pull.head)}


async def test_who_has_a_part_in_it(both: Both) -> None:
    shop = both.shop
    known = {"name": "Ada", "email": "ada@example.com", "login": "ada", "committer": "Ada", "committed_by": "ada"}
    shop.branch("change", {"b.yaml": config("b")})
    shop.git.git("checkout", "--quiet", "change")
    shop.git.git(
        "commit", "--quiet", "--allow-empty", "--author=Stranger <x@example.org>", "-m", "Of nobody that it knows"
    )
    shop.git.git("commit", "--quiet", "--allow-empty", "-m", "More\n\nCo-authored-by: Eve <eve@example.com>")
    shas = shop.git.git("rev-list", "--reverse", "main..change").split()
    shop.git.git("checkout", "--quiet", "main")
    shop.push("change")
    pull = both.repo.pull(shop.pull("change", who="bea"), head=shas[2], author="bea")
    strange = {**known, "name": "Stranger", "email": "x@example.org", "login": ""}
    said = {**known, "message": "More\n\nCo-authored-by: Eve <eve@example.com>"}
    each = zip(shas, (known, strange, said), strict=True)
    pull.commits = [MemoryCommit(sha, **what) for sha, what in each]
    both.memory.users += ["ada", "bea", "eve"]
    found = await both.real.forge.pull(shop.name, pull.number)
    who = ["ada", "bea", "eve", "nobody"]
    assert await both.ask(lambda forge: forge.makers(shop.name, found, who)) == {"ada", "eve"}


async def test_who_may_write(both: Both) -> None:
    shop = both.shop
    both.repo.may.update(ada="owner", bea="write", bot="admin", eve="read")
    who = ("ada", "bea", "bot", "eve", "nobody")
    found = [await both.ask(lambda forge, login=login: forge.may_write(shop.name, login)) for login in who]
    assert found == [True, True, True, False, False]


async def test_who_we_are_and_where_the_repository_is(both: Both) -> None:
    assert await both.ask(lambda forge: forge.account()) == "bot"
    (address, *others) = await both.real.forge.addresses(both.shop.name)
    assert address == both.shop.url
    assert others
    assert len(await both.double.forge.addresses(both.shop.name)) == len(others) + 1


async def test_a_renamed_repository(both: Both) -> None:
    shop = both.shop
    head = shop.branch("change", {"b.yaml": config("b")})
    number = shop.pull("change")
    both.repo.pull(number, head=head, title="Change change")
    new = f"{shop.name.partition('/')[2]}-renamed"
    shop.ask("PATCH", "", {"name": new})
    both.memory.rename(shop.name, f"ada/{new}")
    await both.ask(lambda forge: forge.pull(shop.name, number))
    await both.ask(lambda forge: listed(forge.pulls(shop.name, "main")))
    for forge, _ in (both.real, both.double):
        said = await forge.say(shop.name, number, "after the move")
        await forge.edit(shop.name, number, said, "after the move, edited")
    status = CommitStatus(CommitState.SUCCESS, "reconciler/prod", "moved")
    await both.ask(lambda forge: forge.state(shop.name, head, status))
    (shown,) = shop.gitea.ask("GET", f"/repos/ada/{new}/issues/{number}/comments")
    assert shown["body"] == "after the move, edited"


async def test_tokens_that_do_not_do(both: Both) -> None:
    shop = both.shop
    number = shop.pull(_changed(shop, "change"))
    both.repo.pull(number, head=shop.tip("change"))
    token = shop.folder / "token"
    token.write_text("0" * 40)
    both.memory.token = "another"
    assert await both.ask(lambda forge: forge.pull(shop.name, number)) is ForgeDenied
    token.write_text(shop.gitea.token("bot", "read:repository"))
    assert (await both.real.forge.pull(shop.name, number)).number == number
    status = CommitStatus(CommitState.SUCCESS, "reconciler/prod", "may not")
    for question in (
        both.real.forge.say(shop.name, number, "may not"),
        both.real.forge.state(shop.name, shop.tip("main"), status),
        both.real.forge.account(),
    ):
        with pytest.raises(ForgeDenied) as caught:
            await question
        assert "scope" in caught.value.why
    token.write_text(shop.gitea.token("eve", *SCOPES))
    with pytest.raises(ForgeDenied):
        await both.real.forge.may_write(shop.name, "bea")


def _changed(shop: Shop, branch: str) -> str:
    shop.branch(branch, {f"{branch}.yaml": config(branch)})
    return branch
