"""Every forge, by the requests that it publishes: each kind does the same for us."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from memory_forge import ACCOUNT, TOKEN, MemoryCommit, MemoryForge, MemoryRepository, ok
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.errors import (
    ForgeDenied,
    ForgeError,
    ForgeMissing,
    ForgeRefused,
    ForgeUnreachable,
    TransportError,
)
from reconciler.forge.forge import Approval, CommitState, CommitStatus, Forge, PullState
from reconciler.forge.github import api_of
from reconciler.forge.open import open_forge
from reconciler.http.transport import Request, Response
from reconciler.model.forging import ForgeKind

REPO = "shop/specs"
HEAD = "a" * 40

Client = Callable[[], Forge]


@pytest.fixture
def repo(forge: MemoryForge) -> MemoryRepository:
    return forge.repositories[REPO]


@virtual
async def test_a_pull_request_is_read(repo: MemoryRepository, client: Client) -> None:
    repo.pull(7, labels=("urgent", "db"), branch="topic/a b", draft=True)
    found = await client().pull(REPO, 7)
    assert (found.number, found.author, found.base, found.head) == (7, "ada", "main", "topic/a b")
    assert (found.head_commit, found.base_commit) == (HEAD, "0" * 40)
    assert (found.state, found.fork, found.draft) == (PullState.OPEN, False, True)
    assert found.labels == ("urgent", "db")
    assert found.merged_as == ""
    assert found.fetch.endswith("/7/head")
    assert found.url.startswith("https://forge.example.com/shop/specs/")


@virtual
async def test_a_fork_is_one_also_when_it_is_gone(repo: MemoryRepository, client: Client) -> None:
    repo.pull(1, fork=True)
    repo.pull(2, fork_deleted=True)
    forge = client()
    assert [(await forge.pull(REPO, n)).fork for n in (1, 2)] == [True, True]


@virtual
async def test_what_became_of_it(repo: MemoryRepository, client: Client) -> None:
    repo.pull(1, state="closed")
    repo.pull(2, state="merged", merged_as="c" * 40)
    forge = client()
    closed, merged = await forge.pull(REPO, 1), await forge.pull(REPO, 2)
    assert (closed.state, closed.merged_as) == (PullState.CLOSED, "")
    assert (merged.state, merged.merged_as) == (PullState.MERGED, "c" * 40)


@virtual
async def test_open_ones_of_a_base_over_pages(repo: MemoryRepository, client: Client, forge: MemoryForge) -> None:
    for number in range(1, 8):
        repo.pull(number, base="release/1" if number == 3 else "main", state="closed" if number == 4 else "open")
    client_ = client()
    assert [pull.number async for pull in client_.pulls(REPO, "main")] == [1, 2, 5, 6, 7]
    assert [pull.number async for pull in client_.pulls(REPO, "release/1")] == [3]
    pages = [dict(request.query).get("page") for request in forge.seen]
    assert {"1", "2", "3"} <= set(pages)


@virtual
async def test_those_that_were_merged_of_late(repo: MemoryRepository, client: Client) -> None:
    repo.pull(1)
    repo.pull(2, state="closed")
    repo.pull(3, state="merged", merged_as="c" * 40)
    repo.pull(4, state="merged", base="release/1")
    assert [pull.number for pull in await client().merged(REPO, "main")] == [3]


@virtual
async def test_the_tip_of_a_branch(repo: MemoryRepository, client: Client) -> None:
    repo.branches["release/1"] = "e" * 40
    forge = client()
    assert await forge.tip(REPO, "release/1") == "e" * 40
    with pytest.raises(ForgeMissing):
        await forge.tip(REPO, "gone")


@virtual
async def test_addresses_of_a_repository(client: Client) -> None:
    found = await client().addresses(REPO)
    assert "https://forge.example.com/shop/specs.git" in found
    assert "git@forge.example.com:shop/specs.git" in found


@virtual
async def test_comments_over_pages_and_written_and_edited(
    forge: MemoryForge, repo: MemoryRepository, client: Client
) -> None:
    pull = repo.pull(7)
    for number in range(5):
        forge.comment(pull, "ada", f"comment {number}")
    client_ = client()
    said = await client_.say(REPO, 7, "ours")
    await client_.edit(REPO, 7, said, "ours, edited")
    texts = [(comment.author, comment.text) async for comment in client_.comments(REPO, 7)]
    assert texts[:2] == [("ada", "comment 0"), ("ada", "comment 1")]
    assert texts[5] == (ACCOUNT, "ours, edited")
    with pytest.raises(ForgeMissing):
        await client_.edit(REPO, 7, 99_999, "nobody's")


@virtual
async def test_a_status_replaces_the_earlier_one(repo: MemoryRepository, client: Client, forge: MemoryForge) -> None:
    forge_ = client()
    for state in (CommitState.PENDING, CommitState.PENDING, CommitState.FAILURE):
        text = f"the plan is\n {state} " + "x" * 200
        await forge_.state(REPO, HEAD, CommitStatus(state, "reconciler/shop", text, "https://r.example.com/x"))
    (status,) = repo.statuses.values()
    assert status["state"] == ("failed" if forge.stated is ForgeKind.GITLAB else "failure")
    assert status["description"].startswith("the plan is failure xxx")
    assert len(status["description"]) == 140
    assert status["target_url"] == "https://r.example.com/x"


@virtual
async def test_approvals_that_stand(repo: MemoryRepository, client: Client, forge: MemoryForge) -> None:
    pull = repo.pull(7)
    pull.versions.append(("c" * 40, "2026-01-02T00:00:00Z"))
    pull.head = "c" * 40
    pull.reviews += [
        {"author": "bea", "state": "approve", "commit": HEAD, "at": "2026-01-01T10:00:00Z"},
        {"author": "eve", "state": "approve", "commit": HEAD},
        {"author": "cy", "state": "approve", "commit": "c" * 40, "at": "2026-01-02T10:00:00Z"},
        {"author": "eve", "state": "dismiss", "dismissed": True},
        {"author": "cy", "state": "comment"},
    ]
    assert set(await client().approvals(REPO, 7)) == {Approval("bea", HEAD), Approval("cy", "c" * 40)}


@virtual
async def test_a_request_for_changes_ends_an_approval(
    repo: MemoryRepository, client: Client, forge: MemoryForge
) -> None:
    pull = repo.pull(7)
    pull.reviews += [{"author": "bea", "state": "approve"}, {"author": "bea", "state": "refuse"}]
    expected = () if forge.stated is not ForgeKind.GITLAB else (Approval("bea", HEAD),)  # GitLab knows no such request
    assert await client().approvals(REPO, 7) == expected


BY = [
    ({"login": "bea"}, {"bea"}),
    ({"committed_by": "Bea"}, {"bea"}),
    ({"login": "cy", "name": "Bea Beam", "email": "bea@example.com"}, {"cy"}),
    ({"name": "bea"}, {"bea"}),
    ({"name": " bea  BEAM "}, {"bea"}),
    ({"email": "Bea@Example.com"}, {"bea"}),
    ({"committer": "cy"}, {"cy"}),
    ({"message": "More\n\nCo-authored-by: Bea Beam <x@example.com>\n"}, {"bea"}),
    ({"message": "More\r\n\r\nco-Authored-By:x <5+bea@users.noreply.github.com>\r\n and more"}, {"bea"}),
    ({"message": "Co-authored-by: x <5-bea@users.noreply.gitlab.example.com>\nCo-authored-by: cy <>"}, {"bea", "cy"}),
    ({"message": "said that\nCo-authored-by bea and not co-authored-by: bea <bea@example.com>"}, set()),
    ({"message": "Co-authored-by: x <bea@example.org>"}, set()),
    ({"name": "", "email": ""}, set()),
]


@pytest.mark.parametrize(("commit", "found"), BY)
@virtual
async def test_who_has_a_part_in_it(
    repo: MemoryRepository, client: Client, forge: MemoryForge, commit: dict[str, str], found: set[str]
) -> None:
    forge.users += ["bea", "cy"]
    forge.profiles["bea"] = ("Bea Beam", "bea@example.com")
    pull = repo.pull(7)
    pull.commits += [MemoryCommit(f"{number:040}") for number in range(5)]
    pull.commits.insert(3, MemoryCommit("e" * 40, **commit))
    client_ = client()
    by_account = forge.stated is not ForgeKind.GITLAB  # which tells none of commits
    if not by_account and {"login", "committed_by"} & set(commit):
        found = {"bea"} if "Beam" in commit.get("name", "") else set()
    assert await client_.makers(REPO, await client_.pull(REPO, 7), ["bea", "cy", "gone"]) == found


@virtual
async def test_commits_that_are_not_all_known_may_be_of_anybody(
    repo: MemoryRepository, client: Client, forge: MemoryForge
) -> None:
    """GitHub ends a list after 250; and between two requests somebody may push."""
    forge.page = 100
    pull = repo.pull(7)
    client_ = client()
    before = await client_.pull(REPO, 7)
    assert await client_.makers(REPO, before, ["bea"]) == set()
    pull.commits += [MemoryCommit(f"{number:040}") for number in range(300)]
    listed = forge.stated is not ForgeKind.GITHUB
    assert await client_.makers(REPO, before, ["bea"]) == (set() if listed else {"bea"})
    pull.commits.clear()
    pull.head = "c" * 40
    assert await client_.makers(REPO, before, ["bea"]) == {"bea"}


@pytest.mark.parametrize("forge", [ForgeKind.GITLAB], indirect=True)  # the only one that tells it
@virtual
async def test_who_pushed_has_a_part_whatever_the_commits_say(
    repo: MemoryRepository, client: Client, forge: MemoryForge
) -> None:
    pull = repo.pull(7)
    pull.pushers.append("bea")
    forge.comment(pull, "cy", "added 1 commit")
    client_ = client()
    assert await client_.makers(REPO, await client_.pull(REPO, 7), ["bea", "cy"]) == {"bea"}


@pytest.mark.parametrize("status", [401, 403, 404, 500])
@virtual
async def test_where_commits_cannot_be_read_nobody_is_told_apart(
    repo: MemoryRepository, client: Client, forge: MemoryForge, status: int
) -> None:
    repo.pull(7)
    client_ = client()
    found = await client_.pull(REPO, 7)
    forge.fault = lambda request: ok({"message": "no"}, status) if request.path.endswith("/commits") else None
    with pytest.raises(ForgeError):
        await client_.makers(REPO, found, ["bea"])


@virtual
async def test_who_may_write(repo: MemoryRepository, client: Client, forge: MemoryForge) -> None:
    repo.may.update(ada="write", bea="read", cy="admin")
    forge.users += ["ada", "bea", "cy"]
    client_ = client()
    who = ("ada", "bea", "cy", "nobody")
    assert [await client_.may_write(REPO, login) for login in who] == [True, False, True, False]


@virtual
async def test_who_we_are_is_asked_once_or_stated(forge: MemoryForge, client: Client, tmp_path: Path) -> None:
    client_ = client()
    assert [await client_.account() for _ in range(3)] == [ACCOUNT] * 3
    assert forge.asked() == ["GET /user"]
    stated = open_forge(forge.config(tmp_path, account="app[bot]"), forge.connect, LoopClock(), Random(7))
    assert await stated.account() == "app[bot]"


@virtual
async def test_a_renamed_repository_is_followed(forge: MemoryForge, repo: MemoryRepository, client: Client) -> None:
    repo.pull(7)
    forge.rename(REPO, "shop/renamed")
    client_ = client()
    assert (await client_.pull(REPO, 7)).number == 7
    said = await client_.say(REPO, 7, "after the move")
    await client_.edit(REPO, 7, said, "after the move, edited")
    assert repo.pulls[7].comments[0]["body"] == "after the move, edited"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example.com/api/v3/user",
        "http://forge.example.com/api/v3/user",
        "https://forge.example.com:8443/user",
        "https://ada@forge.example.com/user",
        "//evil.example.com/user",
        "https://[broken/user",
        "ftp://forge.example.com/",
    ],
)
@virtual
async def test_no_redirect_leaves_the_host(forge: MemoryForge, client: Client, target: str) -> None:
    forge.fault = lambda _request: Response(301, {"location": target}, b"")
    with pytest.raises(ForgeRefused, match="another host"):
        await client().account()
    assert len(forge.seen) == 1


@virtual
async def test_redirects_end(forge: MemoryForge, client: Client) -> None:
    forge.fault = lambda request: Response(307, {"location": f"{request.path}/x"}, b"")
    with pytest.raises(ForgeRefused, match="circles"):
        await client().account()
    assert len(forge.seen) == 4


@virtual
async def test_a_302_of_a_change_is_not_followed(forge: MemoryForge, repo: MemoryRepository, client: Client) -> None:
    repo.pull(7)
    client_ = client()
    await client_.pull(REPO, 7)
    forge.fault = lambda request: Response(302, {"location": "/x"}, b"") if request.method == "POST" else None
    with pytest.raises(ForgeRefused):
        await client_.say(REPO, 7, "x")


def answered(status: int, message: str = "", **headers: str) -> Callable[[Request], Response]:
    return lambda _request: ok({"message": message}, status, **{k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    ("status", "headers", "message", "error", "wait"),
    [
        (401, {}, "Bad credentials", ForgeDenied, None),
        (403, {}, "Resource not accessible by personal access token", ForgeDenied, None),
        (403, {}, "You have exceeded a secondary rate limit.", ForgeUnreachable, 60),
        (403, {"retry_after": "90"}, "", ForgeUnreachable, 90),
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1767225900"}, "", ForgeUnreachable, 300),
        (429, {"retry_after": "90"}, "", ForgeUnreachable, 90),
        (404, {}, "Not Found", ForgeMissing, None),
        (410, {}, "Gone", ForgeMissing, None),
        (409, {}, "is being changed", ForgeUnreachable, None),
        (422, {}, "Validation Failed", ForgeRefused, None),
        (500, {}, "", ForgeUnreachable, None),
        (503, {"retry_after": "40"}, "", ForgeUnreachable, 40),
    ],
)
@virtual
async def test_what_a_refusal_means(
    forge: MemoryForge,
    client: Client,
    status: int,
    headers: dict[str, str],
    message: str,
    error: type[ForgeError],
    wait: float | None,
) -> None:
    forge.fault = answered(status, f"{message} {TOKEN}", **headers)
    with pytest.raises(error) as caught:
        await client().account()
    text = "\n".join(caught.value.diagnostics())
    assert message in text
    assert TOKEN not in text
    if isinstance(caught.value, ForgeUnreachable) and wait is not None:
        assert caught.value.retry_after == pytest.approx(wait, abs=30)
    assert type(caught.value) is error


@virtual
async def test_a_passing_fault_is_tried_again_where_that_does_no_harm(
    forge: MemoryForge, repo: MemoryRepository, client: Client
) -> None:
    pull = repo.pull(7)
    client_ = client()
    await client_.pull(REPO, 7)
    faults = [503, 429]
    forge.fault = lambda request: answered(faults.pop())(request) if faults else None
    assert (await client_.pull(REPO, 7)).number == 7
    faults += [502]
    with pytest.raises(ForgeUnreachable):
        await client_.say(REPO, 7, "perhaps it was written")
    assert pull.comments == []


@virtual
async def test_no_answer_and_garbage(forge: MemoryForge, client: Client) -> None:
    forge.fault = lambda _request: TransportError("no usable answer", why=f"reset {TOKEN}")
    with pytest.raises(ForgeUnreachable) as caught:
        await client().account()
    assert TOKEN not in str(caught.value)
    for body in (b"<html>", b"[]", b"\xff", b'{"login": 4}', b"[" * 100_000):
        forge.fault = lambda _request, body=body: Response(200, {}, body)
        with pytest.raises(ForgeUnreachable, match="cannot be read"):
            await client().account()


@virtual
async def test_the_token_is_read_at_each_use(forge: MemoryForge, client: Client, tmp_path: Path) -> None:
    client_ = client()
    await client_.addresses(REPO)
    forge.token = "another-token"
    with pytest.raises(ForgeDenied):
        await client_.addresses(REPO)
    (tmp_path / "forge-token").write_text("another-token")
    await client_.addresses(REPO)
    (tmp_path / "forge-token").unlink()
    with pytest.raises(ForgeUnreachable, match="cannot be read"):
        await client_.addresses(REPO)


@pytest.mark.parametrize("forge", [ForgeKind.GITHUB], indirect=True)  # the pages are the session's, of all alike
@virtual
async def test_a_list_without_end_ends(forge: MemoryForge, repo: MemoryRepository, client: Client) -> None:
    repo.pull(7)
    link = {"link": '<https://evil.example.com/>; rel="next"'}
    forge.fault = lambda request: ok([], **link) if request.path.endswith("/comments") else None
    with pytest.raises(ForgeRefused, match="more than"):
        _ = [comment async for comment in client().comments(REPO, 7)]
    assert len(forge.seen) == 100


def test_where_apis_are() -> None:
    assert api_of("https://github.com") == "https://api.github.com"
    assert api_of("https://git.example.com/") == "https://git.example.com/api/v3"
