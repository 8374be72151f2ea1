"""Inputs and their hash: what changes it, what does not, and what may not be in a context."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from git_repository import Repository
from hypothesis import given
from hypothesis import strategies as st
from memory_tree import Link, MemoryTree

from reconciler.clock import LoopClock
from reconciler.errors import ImageRefused
from reconciler.images.contents import Limits
from reconciler.images.inputs import Gatherer, Inputs, Tree, context_root
from reconciler.model.config import SourceConfig
from reconciler.model.image import Build, TreeFile
from reconciler.source.repository import GitSource

WEB = {
    "services/web/Containerfile": "FROM base:1\nCOPY . /app\n",
    "services/web/main.py": "print(1)\n",
    "services/web/run.sh": ("100755", b"#!/bin/sh\n"),
    "services/web/lib/a.py": "a = 1\n",
    "services/webshop/main.py": "other\n",
    "deploy/web.yaml": "kind: Image\n",
}
BUILD = Build(context="../services/web")
DIGESTS = {"base:1": "sha256:" + "0" * 64}


def gather(files: Mapping[str, object], build: Build = BUILD, limits: Limits | None = None) -> Inputs:
    memory = MemoryTree(files)  # type: ignore[arg-type]
    return asyncio.run(Gatherer(limits).gather(build, "deploy/web.yaml", memory.tree, memory))


def tag(files: Mapping[str, object], build: Build = BUILD) -> str:
    return gather(files, build).tag(DIGESTS)


def refusal(files: Mapping[str, object], build: Build = BUILD, limits: Limits | None = None) -> str:
    with pytest.raises(ImageRefused) as caught:
        gather({**WEB, **files}, build, limits)
    return "\n".join(caught.value.diagnostics())


def test_the_tag_is_stable_from_version_to_version() -> None:
    """Another tag for the same inputs would build everything anew."""
    assert tag(WEB) == "inputs-505be6e189120912c55434758163041b66602e8b"


CHANGES = {
    "a content": {"services/web/lib/a.py": "a = 2\n"},
    "a new file": {"services/web/new": ""},
    "a mode": {"services/web/main.py": ("100755", b"print(1)\n")},
    "the Containerfile": {"services/web/Containerfile": "FROM base:1\nCOPY . /srv\n"},
    "a link": {"services/web/link": Link("main.py")},
    "a link's target": {"services/web/link": Link("lib/a.py")},
    "an ignore file": {"services/web/.dockerignore": "lib\n"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_hash(change: str) -> None:
    assert tag({**WEB, **CHANGES[change]}) != tag(WEB)


def test_every_part_of_the_build_changes_the_hash() -> None:
    builds = [
        BUILD,
        Build(context="../services/web", target="x"),
        Build(context="../services/web", args={"A": "1"}),
        Build(context="../services/web", args={"A": "", "1": ""}),
        Build(context="../services/web", platforms=("linux/amd64",)),
        Build(context="../services/web", platforms=("linux/amd64", "linux/arm64")),
    ]
    assert len({tag(WEB, build) for build in builds}) == len(builds)
    assert gather(WEB).tag({"base:1": "sha256:" + "1" * 64}) != tag(WEB)
    moved = {path.replace("services/web/", "elsewhere/"): content for path, content in WEB.items()}
    assert tag(moved, Build(context="../elsewhere")) == tag(WEB)  # where the context is plays no part


@pytest.mark.parametrize(
    "change",
    [
        {"services/webshop/main.py": "changed\n"},
        {"deploy/web.yaml": "changed\n"},
        {"services/web/images.lock.yaml": "images: {}\n"},
        {"services/web/lib/images.lock.yaml": "images: {}\n"},
    ],
)
def test_what_does_not_change_the_hash(change: dict[str, str]) -> None:
    assert tag({**WEB, **change}) == tag(WEB)


def test_what_is_ignored_is_no_input() -> None:
    ignoring = {**WEB, "services/web/.containerignore": "**/*.log\n.containerignore\n"}
    assert tag({**ignoring, "services/web/x.log": "1"}) == tag(WEB)
    assert tag({**ignoring, "services/web/lib/x.log": Link("/etc/passwd")}) == tag(WEB)
    both = {**ignoring, "services/web/.dockerignore": "**\n"}  # the first of the two names counts
    assert [one.path for one in gather(both).files] == [
        ".dockerignore", "Containerfile", "lib/a.py", "main.py", "run.sh"
    ]  # fmt: skip


def test_the_order_of_names_plays_no_part() -> None:
    names = list(WEB.items())
    Random(3).shuffle(names)
    assert tag(dict(names)) == tag(WEB)


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3}){0,2}", fullmatch=True), st.binary(max_size=4), max_size=8)
)
def test_equal_hashes_are_equal_inputs(files: dict[str, bytes]) -> None:
    """Whatever two contexts hold: one hash only if they hold the same."""
    one = MemoryTree({"Containerfile": "FROM scratch", **files})
    other = MemoryTree({"Containerfile": "FROM scratch", **{path: content[:-1] for path, content in files.items()}})
    gathered = [asyncio.run(Gatherer().gather(Build("."), "i.yaml", m.tree, m)) for m in (one, other)]
    same = [(f.path, f.mode, f.blob) for f in gathered[0].files] == [
        (f.path, f.mode, f.blob) for f in gathered[1].files
    ]
    assert (gathered[0].tag({}) == gathered[1].tag({})) is same


@pytest.mark.parametrize(
    ("context", "root"),
    [
        ("../services/web", "services/web"),
        (".", "deploy"),
        ("..", ""),
        ("./a/../b/", "deploy/b"),
        ("x y", "deploy/x y"),
    ],
)
def test_where_a_context_is(context: str, root: str) -> None:
    assert context_root(context, "deploy/web.yaml") == root


@pytest.mark.parametrize("context", ["../..", "../../x", "/etc", "a/../../../x", "a\0b"])
def test_a_context_never_leaves_the_repository(context: str) -> None:
    with pytest.raises(ImageRefused):
        context_root(context, "deploy/web.yaml")


INSIDE = {
    "beside": {"l": "main.py"},
    "up and down": {"lib/l": "../main.py"},
    "dangling": {"l": "not/there"},
    "a folder": {"l": "lib", "m": "l/a.py"},
    "round about": {"l": "lib/../lib/./a.py"},
    "the root itself": {"lib/l": ".."},
}
OUTSIDE = {
    "absolute": {"l": "/etc/passwd"},
    "up": {"l": "../webshop/main.py"},
    "up at last": {"lib/l": "../../x"},
    "through a folder": {"l": "lib", "m": "l/../../x"},
    "through a link to the root": {"lib/r": "..", "l": "lib/r/../x"},
    "through another": {"l": "m", "m": "/etc"},
    "in a circle": {"l": "m", "m": "l"},
    "to itself": {"l": "l/x"},
    "nowhere": {"l": ""},
}


@pytest.mark.parametrize("case", INSIDE)
def test_links_that_stay_inside_are_kept(case: str) -> None:
    links = {f"services/web/{path}": Link(target) for path, target in INSIDE[case].items()}
    found = {one.path: one.target for one in gather({**WEB, **links}).files if one.target}
    assert found == INSIDE[case]


@pytest.mark.parametrize("case", OUTSIDE)
def test_links_that_leave_are_refused(case: str) -> None:
    links = {f"services/web/{path}": Link(target) for path, target in OUTSIDE[case].items()}
    assert "the symbolic link leads out of the context" in refusal(links)


def test_a_link_that_is_refused_is_named() -> None:
    assert refusal({"services/web/lib/l": Link("/etc/shadow")}) == (
        "services/web/lib/l: the symbolic link leads out of the context, to '/etc/shadow'\n"
        "  hint: link to a file inside the context, or ignore the link"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"services/web/../x": "x"}, "leads elsewhere"),
        ({"services/web/a//x": "x"}, "leads elsewhere"),
        ({"services/web/.git/config": "x"}, "leads elsewhere"),
        ({"services/web/.GIT/config": "x"}, "leads elsewhere"),
        ({"services/web/" + "x" * 256: "x"}, "leads elsewhere"),
        ({"services/web/a\nb": "x"}, "characters that cannot be shown"),
        ({"services/web/\udcff": "x"}, "characters that cannot be shown"),
        ({"services/web/sub": ("160000", b"")}, "a submodule"),
        ({"services/web/odd": ("100664", b"")}, "mode 100664"),
        ({"services/web/l": Link("x" * 5000)}, "link is too long"),
    ],
)
def test_what_may_not_be_in_a_context(files: dict[str, object], said: str) -> None:
    assert said in refusal(files)


def test_a_file_of_two_gigabytes_is_refused_unread() -> None:
    memory = MemoryTree(WEB)  # type: ignore[arg-type]
    memory.names.append(TreeFile("services/web/huge.bin", "100644", "f" * 40, 2 * 1024**3))
    with pytest.raises(ImageRefused) as caught:
        asyncio.run(Gatherer().gather(BUILD, "deploy/web.yaml", memory.tree, memory))
    assert str(caught.value) == "services/web/huge.bin: the file has 2,147,483,648 bytes, more than 536,870,912"
    assert "f" * 40 not in memory.reads


def test_limits_of_a_context() -> None:
    assert "5 files, more than 3" in refusal({"services/web/x": "x"}, limits=Limits(files=3))
    assert "bytes, more than 20" in refusal({}, limits=Limits(total_bytes=20))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Build(context="../nowhere"), "there is no such folder"),
        (Build(context="../services/web", containerfile="Dockerfile"), "there is a Containerfile"),
        (Build(context="../services/web", containerfile="../x"), "not a file below the context"),
        (Build(context="../services/web", containerfile="/etc/passwd"), "not a file below the context"),
        (Build(context="../services/web", containerfile="."), "not a file below the context"),
        (Build(context="../services/web", containerfile="lib"), "there is no such file"),
    ],
)
def test_builds_that_are_refused(build: Build, said: str) -> None:
    assert said in refusal({}, build)


def test_a_containerfile_that_is_ignored_or_a_link() -> None:
    ignored = gather({**WEB, "services/web/.dockerignore": "Containerfile\n"})
    assert "Containerfile" not in {one.path for one in ignored.files}
    assert ignored.containerfile.path == "Containerfile"
    assert "is not a regular file" in refusal({"services/web/Containerfile": Link("main.py")})


async def test_of_200_contexts_only_the_one_that_changed_is_read() -> None:
    files: dict[str, object] = {f"s{n}/Containerfile": f"FROM base:{n}\n" for n in range(200)}
    files |= {f"s{n}/f{m}": f"{n}-{m}" for n in range(200) for m in range(20)}
    first, second = MemoryTree(files), MemoryTree({**files, "s7/f3": "new", "README.md": "new"})  # type: ignore[dict-item,arg-type]
    gatherer = Gatherer()

    async def tags(memory: MemoryTree) -> list[str]:
        tree = memory.tree
        found = [await gatherer.gather(Build(f"s{n}"), "i.yaml", tree, memory) for n in range(200)]
        return [inputs.tag({base.written: "sha256:x" for base in inputs.bases}) for inputs in found]

    before = await tags(first)
    gatherer.gathered = 0
    after = await tags(second)
    assert [n for n in range(200) if before[n] != after[n]] == [7]
    assert gatherer.gathered == 1
    assert len(second.reads) == 1  # its Containerfile


async def test_a_real_commit(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    (repository.path / "web").mkdir()
    (repository.path / "web/link").symlink_to("main.py")
    repository.commit({"web/Containerfile": "FROM scratch\n", "web/main.py": "1", "é/ü.txt": "x"})
    source = GitSource(
        SourceConfig(name="shop", url=str(repository.path)), tmp_path / "cache", clock=LoopClock(), random=Random(1)
    )
    poll = await source.poll()
    assert poll.snapshot is not None
    tree = Tree(await source.tree(poll.snapshot.revision.commit))
    assert [one.path for one in tree.below("")] == ["web/Containerfile", "web/link", "web/main.py", "é/ü.txt"]
    inputs = await Gatherer().gather(Build("web"), "image.yaml", tree, source)
    assert [(one.path, one.mode, one.target) for one in inputs.files] == [
        ("Containerfile", "100644", ""),
        ("link", "120000", "main.py"),
        ("main.py", "100644", ""),
    ]
    await source.close()
