"""`reconciler review`: what is told under pull requests, when, and after which events. Every kind of forge."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from memory_forge import ACCOUNT, TOKEN, MemoryCommit, MemoryForge, MemoryPull, MemoryRepository, ok
from stated_reviews import StatedReview, StatedReviewer, deed, synced
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.daemon.reviews.desk import Desk
from reconciler.daemon.reviews.promise import Promise
from reconciler.daemon.reviews.runner import SWEEP, Runner
from reconciler.errors import SourceRefused, SourceUnreachable
from reconciler.forge.open import open_forge
from reconciler.forge.webhooks import Event, PlanAsked, PullChanged, Push, StatusSet
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.deed import Deed
from reconciler.model.forging import ForgeKind
from reconciler.model.result import Outcome
from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level, ReviewRules
from reconciler.source.merging import MergeConflict

REPO = "shop/specs"
ADDRESSES = ("https://forge.example.com/shop/specs.git",)
TIP, HEAD = "b" * 40, "a" * 40
CONTEXT = "reconciler/prod/main"


class World:
    """A forge with a repository, and what runs in front of it."""

    def __init__(self, kind: ForgeKind, folder: Path) -> None:
        self.forge = MemoryForge.of(kind)
        self.forge.page = 100
        self.repo: MemoryRepository = self.forge.repository(REPO)
        self.reviewers = [StatedReviewer()]
        self.desks = {"main": self.reviewers}
        self.counted: Counter[str] = Counter()
        self.clock = LoopClock()
        self.folder = folder
        self.runner: Runner | None = None

    @property
    def reviewer(self) -> StatedReviewer:
        return self.reviewers[0]

    def ours(self, number: int = 7) -> list[str]:
        return [c["body"] for c in self.repo.pulls[number].comments if c["author"] == ACCOUNT]

    def state(self, commit: str = HEAD, context: str = CONTEXT) -> str:
        found = self.repo.statuses.get((commit, context), {}).get("state", "")
        return {"failed": "failure"}.get(found, found)

    def description(self, commit: str = HEAD) -> str:
        return self.repo.statuses[commit, CONTEXT]["description"]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Runner]:
        """One life of the process."""
        forge = open_forge(self.forge.config(self.folder), self.forge.connect, self.clock, Random(7))
        desks = [
            Desk(forge, REPO, base, reviewers, name="prod", count=lambda _f, r: self.counted.update([r]))
            for base, reviewers in self.desks.items()
        ]
        places = {at: frozenset({"forge.example.com/shop/specs"}) for at in range(len(desks))}
        runner = Runner(desks, places, self.clock)
        stop = asyncio.Event()
        running = asyncio.ensure_future(runner.run(stop))
        try:
            yield runner
            assert not running.done()
        finally:
            stop.set()
            await running

    async def until(self, condition: Callable[[], object], seconds: float = 2 * SWEEP) -> float:
        """Let time pass until `condition` holds; how much did."""
        start = self.clock.monotonic()
        while not condition():
            assert self.clock.monotonic() - start < seconds, self.forge.asked()[-20:]
            await self.clock.sleep(0.5)
        return self.clock.monotonic() - start


@pytest.fixture(params=list(ForgeKind))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(request.param, tmp_path)


@pytest.fixture
def one(tmp_path: Path) -> World:
    """Where the kind does not matter."""
    return World(ForgeKind.GITHUB, tmp_path)


@pytest.fixture
def pull(world: World) -> MemoryPull:
    return world.repo.pull(7)


@virtual
async def test_an_open_pull_request_gets_one_comment_and_a_status(world: World, pull: MemoryPull) -> None:
    async with world.running():
        await world.until(lambda: world.state() == "success")
        (text,) = world.ours()
        assert "## Nothing to do" in text
        assert world.description() == "1 to create"
        assert world.reviewer.asked == [(TIP, HEAD, False)]
        await world.clock.sleep(3 * SWEEP)
    assert len(world.ours()) == 1
    assert world.reviewer.asked == [(TIP, HEAD, False)], "nothing moved"
    assert len(world.forge.asked("POST", "PATCH", "PUT")) == 3, "the comment, pending, success"
    assert world.counted["success"] >= 1


@virtual
async def test_a_push_edits_the_comment_in_place(world: World, pull: MemoryPull) -> None:
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        pull.head = "c" * 40
        world.reviewer.says = StatedReview("## Other", Verdict.BLOCK, "blocked", found={"deletion": Level.BLOCK})
        assert runner.take(PullChanged(ADDRESSES, 7))
        assert await world.until(lambda: world.state("c" * 40) == "failure") < 2
    (text,) = world.ours()
    assert "## Other" in text
    assert "## Nothing to do" not in text


@virtual
async def test_the_base_moves(world: World, pull: MemoryPull) -> None:
    world.repo.pull(8, head="d" * 40)
    async with world.running() as runner:
        await world.until(lambda: len(world.reviewer.asked) == 2)
        world.repo.branches["main"] = "e" * 40
        assert not runner.take(Push(ADDRESSES, "refs/heads/other", TIP, "e" * 40))
        assert not runner.take(Push(("https://forge.example.com/other/specs",), "refs/heads/main", TIP, "e" * 40))
        assert runner.take(Push(ADDRESSES, "refs/heads/main", TIP, "e" * 40))
        assert await world.until(lambda: len(world.reviewer.asked) == 4) < 2
    assert {(base, head) for base, head, _ in world.reviewer.asked[2:]} == {("e" * 40, HEAD), ("e" * 40, "d" * 40)}


@virtual
async def test_without_webhooks_polling_finds_it(one: World) -> None:
    async with one.running():
        await one.until(lambda: one.forge.seen)
        one.repo.pull(9)
        assert await one.until(lambda: one.ours(9)) <= SWEEP + 1


@virtual
async def test_a_command_plans_anew_for_who_may_write(world: World, pull: MemoryPull) -> None:
    world.repo.may.update(ada="write", eve="read")
    world.forge.users += ["ada", "eve"]
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        for login in ("eve", "stranger"):
            assert runner.take(PlanAsked(ADDRESSES, 7, login))
            await world.clock.sleep(5)
            assert len(world.reviewer.asked) == 1
        assert runner.take(PlanAsked(ADDRESSES, 7, "ada"))
        await world.until(lambda: len(world.reviewer.asked) == 2)


@virtual
async def test_a_stranger_takes_nobodys_turn(world: World, pull: MemoryPull) -> None:
    """Who may not ask, and asks right after somebody who may, or before, changes nothing for him."""
    world.repo.may.update(ada="write", eve="read")
    world.forge.users += ["ada", "eve"]
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        for planned, logins in enumerate((("ada", "eve"), ("eve", "ada"), ("ada", *(f"x{n}" for n in range(50)))), 2):
            for login in logins:
                assert runner.take(PlanAsked(ADDRESSES, 7, login))
            await world.until(lambda planned=planned: len(world.reviewer.asked) == planned)


@virtual
async def test_a_restart_finds_its_comment_again(world: World, pull: MemoryPull) -> None:
    for life in range(3):
        async with world.running():
            await world.until(lambda life=life: len(world.reviewer.asked) == life + 1)
            await world.clock.sleep(5)
    assert len(world.ours()) == 1


@virtual
async def test_a_comment_that_a_person_deleted_is_made_again(world: World, pull: MemoryPull) -> None:
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        pull.comments.clear()
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: len(world.ours()) == 1)


@virtual
async def test_a_fork_is_told_to_be_one(world: World) -> None:
    world.repo.pull(7, fork=True)
    async with world.running():
        await world.until(lambda: world.state() == "success")
    assert world.reviewer.asked == [(TIP, HEAD, True)]
    assert "planned offline" in world.ours()[0]


@virtual
async def test_other_bases_and_closed_ones_are_left_alone(world: World) -> None:
    world.repo.pull(1, base="release")
    world.repo.pull(2, state="closed")
    async with world.running() as runner:
        for number in (1, 2, 99):
            runner.take(PullChanged(ADDRESSES, number))
        await world.clock.sleep(30)
    assert world.reviewer.asked == []
    assert world.forge.asked("POST", "PATCH", "PUT") == []


# -- approvals --------------------------------------------------------------------------------------------------------

DEMANDING = StatedReview(
    "## Dangerous",
    Verdict.BLOCK,
    "blocked by 1 danger",
    found={"data-loss": Level.BLOCK},
    rules=ReviewRules(approvers={"data-loss": ("ann", "bob"), "deletion": ("cy",)}),
)


@virtual
async def test_a_danger_waits_for_one_of_those_named(world: World, pull: MemoryPull) -> None:
    world.reviewer.says = DEMANDING
    async with world.running() as runner:
        await world.until(lambda: world.state() == "failure")
        assert world.description() == "waits for approval of data-loss"
        assert "waits for the approval of `ann`, `bob`" in world.ours()[0]
        pull.reviews.append({"author": "eve", "state": "approve"})
        runner.take(PullChanged(ADDRESSES, 7))
        await world.clock.sleep(5)
        assert world.state() == "failure"
        pull.reviews.append({"author": "Bob", "state": "approve"})
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: world.state() == "success")
        assert "approved by `bob`" in world.ours()[0]
    assert len(world.reviewer.asked) == 1, "an approval is no reason to plan"


@virtual
async def test_an_approval_of_another_head_is_none(world: World, pull: MemoryPull) -> None:
    world.reviewer.says = DEMANDING
    pull.reviews.append({"author": "ann", "state": "approve", "commit": HEAD, "at": "2026-01-01T01:00:00Z"})
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        pull.head = "c" * 40
        pull.versions.append(("c" * 40, "2026-01-02T00:00:00Z"))
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: world.state("c" * 40) == "failure")


@virtual
async def test_nobody_approves_what_he_asks_for(world: World) -> None:
    pull = world.repo.pull(7, author="ann")
    pull.reviews.append({"author": "ann", "state": "approve"})
    world.reviewer.says = DEMANDING
    async with world.running():
        await world.until(lambda: world.state() == "failure")


@pytest.mark.parametrize(
    "commit",
    [
        MemoryCommit("d" * 40, name="ann"),
        MemoryCommit("d" * 40, message="Change\n\nCo-authored-by: ann <ann@example.com>\n"),
    ],
    ids=["author", "co-author"],
)
@virtual
async def test_nobody_approves_what_he_has_a_part_in(world: World, pull: MemoryPull, commit: MemoryCommit) -> None:
    """Whoever opens the pull request for him."""
    world.reviewer.says = DEMANDING
    pull.commits.append(commit)
    pull.reviews.append({"author": "Ann", "state": "approve"})
    async with world.running() as runner:
        await world.until(lambda: world.state() == "failure")
        assert "waits for the approval of `ann`, `bob`; that of `ann` does not count here" in world.ours()[0]
        pull.reviews.append({"author": "bob", "state": "approve"})
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: world.state() == "success")
        assert "approved by `bob`\n" in world.ours()[0]


@virtual
async def test_where_it_is_not_known_whose_commits_they_are_there_is_no_success(world: World, pull: MemoryPull) -> None:
    world.reviewer.says = DEMANDING
    pull.reviews.append({"author": "ann", "state": "approve"})
    world.forge.fault = lambda r: ok({"message": "no"}, 403) if r.path.endswith("/commits") else None
    async with world.running() as runner:
        await world.clock.sleep(3 * SWEEP)
        assert world.state() == "pending"
        world.forge.fault = lambda _request: None
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: world.state() == "success")


@virtual
async def test_commits_are_only_asked_for_where_an_approval_would_count(world: World, pull: MemoryPull) -> None:
    world.reviewer.says = DEMANDING
    pull.reviews += [{"author": "eve", "state": "approve"}, {"author": "ann", "state": "approve", "commit": "e" * 40}]
    pull.versions.append(("f" * 40, "2026-01-01T06:00:00Z"))  # GitLab knows by the time which was approved
    pull.versions.append((HEAD, "2026-01-02T00:00:00Z"))
    async with world.running():
        await world.until(lambda: world.state() == "failure")
    assert not any(path.endswith("/commits") for path in world.forge.asked("GET"))


@virtual
async def test_what_nobody_is_named_for_and_what_is_invalid_stays_blocked(one: World) -> None:
    one.repo.pull(7).reviews.append({"author": "ann", "state": "approve"})
    rules = DEMANDING.rules
    found = {"data-loss": Level.BLOCK, "refused": Level.BLOCK}
    one.reviewer.says = StatedReview(verdict=Verdict.BLOCK, found=found, rules=rules)
    async with one.running() as runner:
        await one.until(lambda: one.state() == "failure")
        one.reviewer.says = StatedReview(verdict=Verdict.INVALID)
        one.repo.branches["main"] = "e" * 40
        runner.take(Push(ADDRESSES, "refs/heads/main", TIP, "e" * 40))
        await one.until(lambda: len(one.reviewer.asked) == 2)
        await one.clock.sleep(1)
        assert one.state() == "failure"


@virtual
async def test_a_warning_with_an_approver_waits_too(one: World) -> None:
    one.repo.pull(7)
    one.reviewer.says = StatedReview(verdict=Verdict.WARN, found={"deletion": Level.WARN}, rules=DEMANDING.rules)
    async with one.running():
        await one.until(lambda: one.state() == "failure")
        assert "waits for the approval of `cy`" in one.ours()[0]


# -- after the merge --------------------------------------------------------------------------------------------------


def merge(pull: MemoryPull, commit: str = "f" * 40) -> str:
    pull.state, pull.merged_as = "merged", commit
    return commit


@virtual
async def test_the_thread_gets_the_result_of_the_sync(world: World, pull: MemoryPull) -> None:
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        commit = merge(pull)
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: "has not ended yet" in world.ours()[0])
        world.reviewer.merges[commit] = synced(commit, deed("a"))
        await world.until(lambda: "As it was planned, object by object: 1." in world.ours()[0])
        asked = len(world.forge.seen)
        await world.clock.sleep(60)
        assert len(world.forge.seen) == asked, "there is no more to say"
    (text,) = world.ours()
    assert "## Nothing to do" in text, "the plan stays"
    assert "Merged as `ffffffffffff`" in text
    assert "has not ended yet" not in text


@virtual
async def test_what_differs_from_the_plan_is_told(world: World, pull: MemoryPull) -> None:
    async with world.running():
        await world.until(lambda: world.state() == "success")
    commit = merge(pull)  # while nobody looked
    world.reviewer.merges[commit] = synced(commit, deed("a"), deed("b", Action.PRUNE))
    async with world.running():
        await world.until(lambda: "Other than planned: 1 object; as planned: 1." in world.ours()[0])
    assert "`ConfigMap/shop/b`: not announced: prune done" in world.ours()[0]


@virtual
async def test_a_sync_that_fails_is_told_and_then_that_it_is_well(world: World, pull: MemoryPull) -> None:
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        commit = merge(pull)
        world.reviewer.merges[commit] = synced(commit, deed("a", outcome=Outcome.FAILED, why="no"))
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: "1 object failed" in world.ours()[0])
        assert "ConfigMap/shop/a: no" in world.ours()[0]
        world.reviewer.merges[commit] = synced(commit, deed("a"))
        await world.until(lambda: "As it was planned" in world.ours()[0])
        assert "failed" not in world.ours()[0]


@virtual
async def test_a_merge_that_was_never_reviewed_is_left_alone(one: World) -> None:
    merge(one.repo.pull(7))
    async with one.running():
        await one.clock.sleep(2 * SWEEP)
    assert one.forge.asked("POST", "PATCH") == []


@virtual
async def test_a_sync_that_never_ends_costs_less_and_less(one: World) -> None:
    pull = one.repo.pull(7)
    async with one.running():
        await one.until(lambda: one.state() == "success")
        merge(pull)
        await one.clock.sleep(3600)
        before = len(one.forge.seen)
        await one.clock.sleep(3600)
    assert len(one.forge.seen) - before < 200


# -- what goes wrong --------------------------------------------------------------------------------------------------


@virtual
async def test_what_cannot_be_planned_is_said_and_tried_again(world: World, pull: MemoryPull) -> None:
    world.reviewer.says = SourceUnreachable("the Git server does not answer", where="source shop", hint="is it up?")
    async with world.running():
        await world.until(lambda: world.state() in ("error", "failure"))
        await world.until(lambda: "## Not planned" in world.ours()[0])
        assert "the Git server does not answer" in world.ours()[0]
        world.reviewer.says = StatedReview()
        await world.until(lambda: world.state() == "success")
    assert len(world.ours()) == 1


@virtual
async def test_a_source_that_cannot_be_planned_hides_no_other(world: World, pull: MemoryPull) -> None:
    lasting = SourceRefused("a part of it is unsafe", where="base/a.yaml:3", why="it leads out", hint="stay inside")
    world.reviewers.append(StatedReviewer("tools", lasting))
    world.reviewers.append(StatedReviewer("web", SourceUnreachable("the Git server does not answer")))
    world.reviewers.append(StatedReviewer("quiet", StatedReview(promise=Promise())))
    async with world.running():
        await world.until(lambda: world.ours())
        (text,) = world.ours()
        head = text.index("## tools: Not planned\n\n> base/a.yaml:3: a part of it is unsafe\n")
        assert ">   because: it leads out\n>   hint: stay inside\n" in text[head:]
        assert text.index("## web: Not planned") < text.index("## shop: Nothing to do")
        assert "Nothing to do for `quiet`." in text
        assert world.state() in ("error", "failure")
        assert world.description() == "tools could not be planned, nor 1 other source: a part of it is unsafe"
        world.reviewers[2].says = StatedReview("## Web", summary="2 to create")
        await world.until(lambda: "## web: Web" in world.ours()[0])
        assert world.state() == "failure", "what stays so is not the forge's fault, and no success"
        assert "## tools: Not planned" in world.ours()[0]
        await world.clock.sleep(2 * SWEEP)
    assert [len(each.asked) for each in world.reviewers] == [1, 1, 2, 1], "only what may be well is asked again"


@virtual
async def test_a_fault_of_our_own_at_one_source_hides_no_other(world: World, pull: MemoryPull) -> None:
    world.reviewers.append(StatedReviewer("tools", ZeroDivisionError("secret-4711")))
    async with world.running():
        await world.until(lambda: world.ours())
        assert "source tools: reconciler itself failed on it" in world.ours()[0]
        assert "## shop: Nothing to do" in world.ours()[0]
        assert "4711" not in world.ours()[0]
        assert world.state() in ("error", "failure")
        world.reviewers[1].says = StatedReview()
        await world.until(lambda: world.state() == "success")


@virtual
async def test_a_result_that_cannot_be_read_hides_no_other(world: World, pull: MemoryPull) -> None:
    tools = StatedReviewer("tools")
    world.reviewers.append(tools)
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        commit = merge(pull)
        world.reviewer.merges[commit] = synced(commit, deed("a"))
        tools.merges[commit] = SourceUnreachable("the cluster does not answer", hint="is it up?")
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: "After the merge" in world.ours()[0])
        assert "tools: Its sync could not be looked at: the cluster does not answer; is it up?." in world.ours()[0]
        assert "shop: ✅ Applied: 1 create." in world.ours()[0]
        tools.merges[commit] = synced(commit, deed("a"))
        await world.until(lambda: "tools: ✅ Applied: 1 create." in world.ours()[0])


@virtual
async def test_what_stays_so_is_not_tried_again_until_something_moves(world: World, pull: MemoryPull) -> None:
    world.reviewer.says = MergeConflict("the two revisions conflict", why="in a.yaml")
    async with world.running() as runner:
        await world.until(lambda: world.ours())
        await world.clock.sleep(3 * SWEEP)
        assert len(world.reviewer.asked) == 1
        assert len(world.forge.asked("POST", "PATCH", "PUT")) == 3
        world.reviewer.says = StatedReview()
        pull.head = "c" * 40
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: world.state("c" * 40) == "success")
        assert "conflict" not in world.ours()[0]


@virtual
async def test_an_outage_of_a_day_costs_few_writes(world: World, pull: MemoryPull) -> None:
    world.reviewer.says = SourceUnreachable("the Git server does not answer")
    async with world.running():
        await world.clock.sleep(86_400)
    assert len(world.forge.asked("POST", "PATCH", "PUT")) == 3
    assert 250 < len(world.reviewer.asked) < 700


@virtual
async def test_a_forge_that_wants_to_be_left_alone_is(one: World) -> None:
    for number in range(1, 6):
        one.repo.pull(number)
    limit = ok({"message": "You have exceeded a secondary rate limit"}, 403, **{"retry-after": "200"})
    async with one.running() as runner:
        await one.until(lambda: one.ours(5))
        one.forge.fault = lambda _request: limit
        before = len(one.forge.seen)
        for number in range(1, 6):
            runner.take(PullChanged(ADDRESSES, number))
        await one.clock.sleep(190)
        assert len(one.forge.seen) - before <= 2, "one of each worker"
        one.forge.fault = lambda _request: None
        one.repo.pulls[3].head = "c" * 40
        await one.until(lambda: one.state("c" * 40) == "success")


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 500, 502])
@virtual
async def test_any_failure_of_the_forge_passes(tmp_path: Path, status: int) -> None:
    """At every request in turn; in the end there is one comment, and the right status."""
    for at in range(8):
        world = World(ForgeKind.GITEA, tmp_path)
        world.repo.pull(7)
        answers = iter(range(10_000))

        def fault(_request: Request, at: int = at, answers: "object" = answers) -> Response | None:
            return ok({"message": "no"}, status) if next(answers) == at else None  # type: ignore[call-overload]

        world.forge.fault = fault
        async with world.running():
            await world.until(lambda world=world: world.state() == "success", seconds=4 * SWEEP)
            await world.clock.sleep(2 * SWEEP)
        assert len(world.ours()) == 1, at


@virtual
async def test_lost_answers_make_no_second_comment(tmp_path: Path) -> None:
    world = World(ForgeKind.GITLAB, tmp_path)
    world.repo.pull(7)
    lost = [True]

    def answer(request: Request) -> Response:
        real = MemoryForge.answer(world.forge, request)
        if request.method == "POST" and request.path.endswith("/notes") and lost:
            lost.clear()
            return Response(502, {}, b"")
        return real

    world.forge.answer = answer  # type: ignore[method-assign]
    async with world.running():
        await world.until(lambda: world.state() == "success")
    assert not lost
    assert len(world.ours()) == 1


# -- who else may set statuses ----------------------------------------------------------------------------------------


@virtual
async def test_a_status_that_somebody_else_set_is_set_anew(
    world: World, pull: MemoryPull, caplog: pytest.LogCaptureFixture
) -> None:
    world.reviewer.says = StatedReview(verdict=Verdict.BLOCK, found={"refused": Level.BLOCK})
    async with world.running() as runner:
        await world.until(lambda: world.state() == "failure")
        world.repo.statuses[HEAD, CONTEXT] = {"state": "success", "description": "all well"}
        assert runner.take(StatusSet(ADDRESSES, HEAD, CONTEXT, "eve"))
        assert await world.until(lambda: world.state() == "failure") < 2
        assert f"{CONTEXT} of {HEAD[:12]} in {REPO} was set by eve: it becomes failure again" in caplog.text
        asked = len(world.forge.seen)
        for login, commit, context in (
            (ACCOUNT, HEAD, CONTEXT),
            ("eve", "e" * 40, CONTEXT),
            ("eve", HEAD, "ci/tests"),
        ):
            assert not runner.take(StatusSet(ADDRESSES, commit, context, login))
        await world.clock.sleep(60)
        assert len(world.forge.seen) == asked, "what is ours, and what is not, costs nothing"
    assert len(world.reviewer.asked) == 1


# -- bounds -----------------------------------------------------------------------------------------------------------


@virtual
async def test_a_flood_of_events_costs_a_look_each_at_the_most(one: World) -> None:
    one.repo.pull(7)
    events: list[Event] = [PullChanged(ADDRESSES, number) for number in range(1, 5000)]
    async with one.running() as runner:
        await one.until(lambda: one.state() == "success")
        before = len(one.forge.seen)
        for _ in range(1000):
            runner.take(PullChanged(ADDRESSES, 7))
        await one.clock.sleep(5)
        assert len(one.forge.seen) - before < 15
        for event in events:
            runner.take(event)
        assert len(runner) <= 1000
        assert not runner.take(PullChanged(("https://forge.example.com/other/repo",), 1))


@virtual
async def test_two_sources_of_one_repository_share_a_comment(world: World, pull: MemoryPull) -> None:
    changes = Promise((deed("x", Action.UPDATE), deed("y", Action.UPDATE)))
    world.reviewers.append(StatedReviewer("tools", StatedReview("## 2 warnings", Verdict.WARN, "2 warnings", changes)))
    quiet = StatedReview("## Nothing at all", summary="no danger", promise=Promise())
    world.reviewers.append(StatedReviewer("base", quiet))
    async with world.running() as runner:
        await world.until(lambda: world.state() == "success")
        assert world.description() == "tools: 2 warnings; shop: 1 to create; nothing to do for 1 source"
        (text,) = world.ours()
        assert text.index("## tools: 2 warnings") < text.index("## shop: Nothing to do"), "the gravest comes first"
        assert "Nothing to do for `base`." in text
        assert "Nothing at all" not in text
        commit = merge(pull)
        for reviewer, deeds in zip(world.reviewers, ([deed("a")], changes.merged, []), strict=True):
            reviewer.merges[commit] = synced(commit, *deeds)
        runner.take(PullChanged(ADDRESSES, 7))
        await world.until(lambda: "As it was planned" in world.ours()[0])
        assert "tools: ✅ Applied: 2 update" in world.ours()[0]


@virtual
async def test_one_head_into_two_branches_has_two_verdicts(tmp_path: Path) -> None:
    """A promotion goes from one branch to several: what is well for one must not open the way into another."""
    world = World(ForgeKind.GITHUB, tmp_path)
    world.repo.branches["live"] = "e" * 40
    strict = StatedReviewer("live", StatedReview(verdict=Verdict.BLOCK, found={"refused": Level.BLOCK}))
    world.desks["live"] = [strict]
    world.repo.pull(7)
    world.repo.pull(8, base="live")
    async with world.running():
        await world.until(lambda: world.state() == "success" and world.state(context="reconciler/prod/live"))
        await world.clock.sleep(2 * SWEEP)
        assert world.state() == "success"
        assert world.state(context="reconciler/prod/live") == "failure"
        assert (len(world.ours(7)), len(world.ours(8))) == (1, 1)


@virtual
async def test_of_two_requests_with_one_head_the_gravest_counts(one: World) -> None:
    """Who opens a second one, from a fork, where less is looked at, must not open the way for the first."""
    one.repo.pull(7)
    one.repo.pull(8, fork=True)
    one.reviewer.says = StatedReview(verdict=Verdict.BLOCK, found={"no-room": Level.BLOCK})
    one.reviewer.of_forks = StatedReview()
    async with one.running() as runner:
        await one.until(lambda: one.ours(7) and one.ours(8))
        await one.clock.sleep(2 * SWEEP)
        assert one.state() == "failure"
        one.repo.pulls[7].state = "closed"
        runner.take(PullChanged(ADDRESSES, 7))
        runner.take(PullChanged(ADDRESSES, 8))
        await one.until(lambda: one.state() == "success")


@virtual
async def test_many_requests_hide_no_other_with_the_same_head(one: World) -> None:
    """Who opens very many has none of them forgotten, nor any that was not looked at yet."""
    one.repo.pull(1)
    for number in range(2, 205):
        one.repo.pull(number, head=f"{number:040}", fork=True)
    one.repo.pull(205, fork=True)
    one.reviewer.says = StatedReview(verdict=Verdict.BLOCK, found={"no-room": Level.BLOCK})
    one.reviewer.of_forks = StatedReview()
    said: list[str] = []
    for _ in range(2):  # lives of the process
        async with one.running() as runner:
            await one.until(lambda: one.ours(205), seconds=600)
            for _ in range(3):
                runner.take(PullChanged(ADDRESSES, 205))
                await one.clock.sleep(SWEEP / 4)
                said.append(one.state())
    assert set(said) == {"failure"}
    stated = [r.body for r in one.forge.seen if r.method == "POST" and r.path.endswith(f"/statuses/{HEAD}")]
    assert not any(b'"success"' in body for body in stated)


@virtual
async def test_until_both_were_looked_at_there_is_no_success(one: World) -> None:
    one.repo.pull(7)
    one.repo.pull(8, fork=True)
    one.forge.fault = lambda r: ok({"message": "no"}, 500) if r.path.endswith("/pulls/7") else None
    async with one.running():
        await one.until(lambda: one.ours(8))
        await one.clock.sleep(2 * SWEEP)
        assert one.state() == "pending"
        one.forge.fault = lambda _request: None
        await one.until(lambda: one.state() == "success")


@virtual
async def test_who_fills_the_thread_keeps_no_old_success(one: World) -> None:
    """Comments without end cannot be read through: the head is at least said to be not planned yet."""
    one.repo.pull(7)
    link = {"link": '<x>; rel="next"'}
    one.forge.fault = lambda r: ok([], **link) if r.method == "GET" and r.path.endswith("/comments") else None
    async with one.running():
        await one.clock.sleep(SWEEP)
        assert one.state() == "pending"


@virtual
async def test_many_sources_with_much_to_do_still_fit_into_one_comment(one: World) -> None:
    """What the comment remembers for the time after the merge must leave room for what people read."""
    pull = one.repo.pull(7)
    one.reviewers.clear()
    for source in (f"source-{number}" for number in range(30)):
        deeds = [
            Deed(Identity("", "ConfigMap", source, sha256(f"{source}{n}".encode()).hexdigest()), Action.CREATE)
            for n in range(400)
        ]
        says = StatedReview("text\n" * 20_000, Verdict.WARN, "400 to create", Promise(tuple(deeds)))
        one.reviewers.append(StatedReviewer(source, says))
    async with one.running() as runner:
        await one.until(lambda: one.state() == "success")
        assert len(one.ours()[0]) <= 65_536
        assert all(f"## {reviewer.source}: text" in one.ours()[0] for reviewer in one.reviewers)
        commit = merge(pull)
        for reviewer in one.reviewers:
            assert isinstance(reviewer.says, StatedReview)
            reviewer.merges[commit] = synced(commit, *reviewer.says.promise.merged)
        runner.take(PullChanged(ADDRESSES, 7))
        await one.until(lambda: one.ours()[0].count("As it was planned") == 30)
        assert len(one.ours()[0]) <= 65_536


@virtual
async def test_a_long_plan_is_cut_to_what_the_forge_takes(one: World) -> None:
    one.repo.pull(7)
    one.reviewer.says = StatedReview("x" * 200_000)
    async with one.running():
        await one.until(lambda: one.state() == "success")
    assert len(one.ours()[0]) <= 65_536
    assert TOKEN not in one.ours()[0]
