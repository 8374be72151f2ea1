"""One comment of ours on a pull request, whatever people do."""

from collections.abc import Callable
from html import escape

import pytest
from memory_forge import ACCOUNT, MemoryForge, MemoryPull
from virtual import virtual

from reconciler.diff.views.markdown import fence
from reconciler.forge.comment import Notes, find, fit, put
from reconciler.forge.forge import Forge

REPO = "shop/specs"
NOTES = Notes(base="b" * 40, head="a" * 40, plans={"shop": "eJw="})

Client = Callable[[], Forge]


@pytest.fixture
def pull(forge: MemoryForge) -> MemoryPull:
    return forge.repositories[REPO].pull(7)


@virtual
async def test_made_once_then_edited_in_place(forge: MemoryForge, pull: MemoryPull, client: Client) -> None:
    for number in range(5):
        forge.comment(pull, "ada", f"comment {number}")
    client_ = client()
    assert await find(client_, REPO, 7, "prod") is None
    made = await put(client_, REPO, 7, "prod", None, NOTES, "first\n")
    for text in ("second", "third"):
        found = await find(client(), REPO, 7, "prod")  # another process
        assert found is not None
        assert (found.id, found.notes) == (made.id, NOTES)
        await put(client_, REPO, 7, "prod", found, NOTES, text)
    ours = [comment["body"] for comment in pull.comments if comment["author"] == ACCOUNT]
    assert len(ours) == 1
    assert ours[0].endswith("-->\nthird")


@virtual
async def test_the_same_text_is_not_sent_again(forge: MemoryForge, pull: MemoryPull, client: Client) -> None:
    client_ = client()
    ours = await put(client_, REPO, 7, "prod", None, NOTES, "text\n")
    before = len(forge.seen)
    assert await put(client_, REPO, 7, "prod", ours, NOTES, "text\n") == ours
    assert len(forge.seen) == before


@virtual
async def test_deleted_by_a_person_it_is_made_again(forge: MemoryForge, pull: MemoryPull, client: Client) -> None:
    client_ = client()
    ours = await put(client_, REPO, 7, "prod", None, NOTES, "text")
    pull.comments.clear()
    again = await put(client_, REPO, 7, "prod", ours, NOTES, "newer")
    assert again.id != ours.id
    assert [comment["body"].rpartition("\n")[2] for comment in pull.comments] == ["newer"]


@virtual
async def test_the_mark_of_somebody_else_is_nothing(forge: MemoryForge, pull: MemoryPull, client: Client) -> None:
    client_ = client()
    ours = await put(client_, REPO, 7, "prod", None, NOTES, "text")
    body = pull.comments.pop()["body"]
    forge.comment(pull, "mallory", body)
    assert await find(client_, REPO, 7, "prod") is None
    forge.comment(pull, ACCOUNT, f"> {body}")
    assert await find(client_, REPO, 7, "prod") is None
    forge.comment(pull, ACCOUNT.upper(), body.replace("\n", "\r\n"))
    found = await find(client_, REPO, 7, "prod")
    assert found is not None
    assert (found.notes, found.text) == (NOTES, ours.text)


@virtual
async def test_two_installs_have_a_comment_each(forge: MemoryForge, pull: MemoryPull, client: Client) -> None:
    client_ = client()
    await put(client_, REPO, 7, "prod", None, NOTES, "of prod")
    assert await find(client_, REPO, 7, "staging") is None


@virtual
async def test_notes_that_cannot_be_read_are_none(forge: MemoryForge, pull: MemoryPull, client: Client) -> None:
    forge.comment(pull, ACCOUNT, '<!-- reconciler-review prod {"base": 4} -->\ntext')
    found = await find(client(), REPO, 7, "prod")
    assert found is not None
    assert found.notes == Notes()


@virtual
async def test_never_longer_than_the_forge_takes(forge: MemoryForge, pull: MemoryPull, client: Client) -> None:
    client_ = client()
    await put(client_, REPO, 7, "prod", None, NOTES, "a line of text\n" * 200_000)
    (comment,) = pull.comments
    assert len(comment["body"]) <= client_.longest
    assert comment["body"].endswith("in one comment.\n")


def test_what_is_cut_is_closed() -> None:
    text = "<details>\n<details>\n```diff\n" + "+ line\n" * 1000
    cut = fit(text, 1000)
    assert len(cut) <= 1000
    assert cut.count("```") == 2
    assert cut.count("</details>") == 2
    assert fit("short", 1000) == "short"


@pytest.mark.parametrize(
    "evil", ["</details>", "<details>", "```", "`````diff", "    ````````", "<details></details></details>"]
)
def test_what_is_cut_is_closed_whatever_the_author_wrote(evil: str) -> None:
    """Else what follows, approvals say, would lie in what is folded, or be shown as code."""
    shown = fence("\n".join([f"+ {evil}"] * 9), "diff")
    block = f"<details><summary><code>{escape(evil)}</code></summary>\n{shown}</details>\n"
    outer = f"<details>\n{block * 40}</details>\n"
    for most in range(1000, len(outer), 7):
        cut = fit(outer, most)
        assert len(cut) <= most
        opened, ticks = 0, ""
        for line in cut.split("\n"):
            if ticks:
                ticks = "" if line == ticks else ticks
            elif line.startswith("```"):
                ticks = line.removesuffix("diff")
            elif not line.startswith("<details><summary>") or line.endswith("</summary>"):
                opened += line.startswith("<details>") - line.startswith("</details>")
        assert (opened, ticks) == (0, ""), cut[-300:]
