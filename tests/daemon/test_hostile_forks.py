"""Heads of forks that want more than a plan: the network, our files, our time. Each gets a plan or a refusal."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import pytest
from git_repository import Repository
from loopback import Handler, LoopbackServer
from texts import NAMESPACE, config

from reconciler.clock import SystemClock
from reconciler.daemon.reviews.confined import Ended, Limits
from reconciler.daemon.reviews.forked import ForkReview, _refused, review_fork
from reconciler.daemon.reviews.isolation import Measure
from reconciler.daemon.reviews.promise import Promise
from reconciler.errors import SourceError
from reconciler.model.config import SourceConfig
from reconciler.model.review import Verdict
from reconciler.model.review_rules import ReviewRules
from reconciler.source.repository import GitSource

LIMITS: Final = Limits(seconds=45)


class Prey:
    """What a head would like to have: a secret, a mark that shows that its code ran, a server that hears of it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.secret = folder / "secret.yaml"
        self.secret.write_text(config("canary-4711"))
        self.mark = folder / "it-ran"
        self.url = url
        self.command = f"touch {self.mark}; curl -s {url} || true"


def attributes(head: Repository, prey: Prey) -> None:
    evil = (
        f'[filter "evil"]\n\tsmudge = {prey.command}\n\tclean = {prey.command}\n[core]\n\tfsmonitor = {prey.command}\n'
    )
    lines = "* filter=evil diff=evil merge=evil\n*.bin filter=lfs diff=lfs merge=lfs -text\n"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    head.write({".gitattributes": lines, ".gitconfig": evil, ".lfsconfig": f"[lfs]\n\turl = {prey.url}\n"})
    head.write({"a.yaml": config("a", "theirs"), "x.bin": pointer, "pointer.yaml": pointer})


def hooks(head: Repository, prey: Prey) -> None:
    for name in ("hooks/post-checkout", ".githooks/pre-merge-commit", "hooks/reference-transaction"):
        head.write({name: f"#!/bin/sh\n{prey.command}\n"})
        (head.path / name).chmod(0o755)


def tags(head: Repository, prey: Prey) -> None:
    head.write(
        {
            "tag.yaml": f"!!python/object/apply:os.system ['{prey.command}']\n",
            "new.yaml": f"a: !!python/object/new:subprocess.Popen [['sh', '-c', '{prey.command}']]\n",
            "include.yaml": f"a: !include {prey.secret}\nb: !env HOME\n---\n$ref: file://{prey.secret}\n",
            "kustomization.yaml": f"resources: ['{prey.url}', '{prey.secret}']\n",
        }
    )


def links(head: Repository, prey: Prey) -> None:
    for name, target in {
        "a.yaml": prey.secret,
        "etc": Path("/etc"),
        "up": Path("../../../.."),
        "me": Path("me"),
    }.items():
        (head.path / name).unlink(missing_ok=True)
        (head.path / name).symlink_to(target)
    (head.path / "reconciler.yaml").symlink_to(prey.secret)


def submodules(head: Repository, prey: Prey) -> None:
    modules = ""
    for name, url in {
        "a": f"{prey.url}x.git",
        "b": f"ext::sh -c '{prey.command}'",
        "c": f"{prey.secret.parent}",
    }.items():
        modules += f'[submodule "{name}"]\n\tpath = {name}\n\turl = {url}\n'
        head.git("update-index", "--add", "--cacheinfo", f"160000,{head.git('rev-parse', 'HEAD')},{name}")
    head.write({".gitmodules": modules, "b.yaml": config("b")})


def commands_of_submodules(head: Repository, prey: Prey) -> None:
    submodules(head, prey)
    head.write({".gitmodules": f'[submodule "a"]\n\tpath = a\n\turl = {prey.url}\n\tupdate = !{prey.command}\n'})


def names(head: Repository, prey: Prey) -> None:
    for name in (
        "-rf",
        "--output=x.yaml",
        f"--upload-pack={prey.mark.name}.yaml",
        "a\nb.yaml",
        "\x1b[31mred.yaml",
        "$(x).yaml",
    ):
        head.write({name: config("named")})
    (head.path / os.fsdecode(b"\xff\xfe.yaml")).write_text(config("bytes"))
    head.write({f"{'n' * 250}.yaml": config("long")})


def depth(head: Repository, prey: Prey) -> None:
    head.write({"/".join(["d"] * 500) + "/deep.yaml": config("deep"), "nested.yaml": "{a: " * 20_000})
    head.write({"json.json": '{"a":' * 20_000})


def size(head: Repository, prey: Prey) -> None:
    head.write({"big.yaml": b"a: b\n" * 8_000_000, "long.yaml": b"a: " + b"x" * 30_000_000})
    head.write({f"many/{number}.yaml": config(f"c{number}") for number in range(300)})


def bombs(head: Repository, prey: Prey) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = ["a: &a [x, x, x, x]"]
    lines += [f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]" for a, b in itertools.pairwise(letters)]
    merged = "\n".join(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], k{n}: 1}}" for n in range(1, 200))
    head.write({"bomb.yaml": "\n".join(lines), "merge.yaml": f"m0: &m0 {{k: 1}}\n{merged}\n"})
    head.write({"number.yaml": f"a: {'9' * 1_000_000}\nb: 0x{'f' * 1_000_000}\nc: 1e{'9' * 100_000}\n"})


HEADS: Final = (attributes, hooks, tags, links, submodules, commands_of_submodules, names, depth, size, bombs)


@pytest.mark.parametrize("make", HEADS, ids=lambda each: each.__name__)
async def test_a_head_gets_a_plan_or_a_refusal(tmp_path: Path, make: Callable[[Repository, Prey], None]) -> None:
    heard: list[str] = []

    class Ear(Handler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.reply(200, {}, b"a: b\n")

        do_POST = do_GET  # noqa: N815 - the base class looks for it by this name

    shop = Repository(tmp_path / "shop")
    base = shop.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")}, "Start")
    with LoopbackServer(Ear) as server:
        prey = Prey(tmp_path, server.url())
        shop.git("checkout", "--quiet", "-b", "theirs")
        make(shop, prey)
        shop.git("-c", "core.fsmonitor=false", "add", "--all", "--force")
        shop.git("commit", "--quiet", "--no-verify", "--allow-empty", "-m", "Theirs")
        head = shop.git("rev-parse", "HEAD")
        prey.mark.unlink(missing_ok=True)
        source = SourceConfig(name="shop", url=str(shop.path), namespace="shop")
        git = GitSource(source, tmp_path / "cache", clock=SystemClock(), random=Random(7))
        try:
            found = await review_fork(git, source, base, head, ReviewRules(), LIMITS)
        except SourceError as error:
            text = "\n".join(error.diagnostics())
        else:
            assert isinstance(found, ForkReview)
            text = found.markdown(60_000) + found.summary
        finally:
            await git.close()
    assert heard == []
    assert not prey.mark.exists()
    assert "canary" not in text
    assert "\x1b" not in text
    assert len(text) < 61_000


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({Measure.SOCKETS, Measure.FILES}, {"no network", "no files but these two commits"}),
        ({Measure.NAMESPACE}, {"no network", "**files were not taken from it**"}),
        (set(), {"**the network was not taken from it**", "**files were not taken from it**"}),
    ],
)
def test_the_comment_says_what_was_in_force(held: set[Measure], said: set[str]) -> None:
    review = ForkReview(Verdict.PASS, "", Promise(), {}, ReviewRules(), "## Nothing" * 9, frozenset(held))
    for limit in (60_000, 200):
        text = review.markdown(limit)
        assert len(text) <= limit
        assert all(part in text for part in said)


@pytest.mark.parametrize(
    ("errors", "why", "hint"),
    [
        (b"source shop: no\n  because: of /tmp/f/shop/a\n  hint: try\n", "source shop: no: of shop/a", "try"),
        (b"Traceback (most recent call last):\n  secret\n", "", None),
        (b"\xff" * 5000 + b"\nx\ny\nz", "\ufffd" * 300 + ": x: y", None),
        (b"", "", None),
    ],
)
def test_the_reason_of_a_refusal_is_short(errors: bytes, why: str, hint: str | None) -> None:
    error = _refused(Ended(1, b"", frozenset(), errors), "/tmp/f")
    assert error.why == why
    assert hint in (None, error.hint)
    assert error.hint


def test_a_long_plan_hides_nothing_that_follows_it() -> None:
    """Its author decides how long it is: what is cut in a block of code, or in what is folded, is closed."""
    text = "## a\n\n" + "<details><summary>x</summary>\n\n````diff\n+ ```\n````\n</details>\n" * 999
    for limit in range(2000, 2100):
        shown = ForkReview(Verdict.PASS, "", Promise(), {}, ReviewRules(), text, frozenset(Measure)).markdown(limit)
        assert len(shown) <= limit
        assert shown.count("````") % 2 == 0
        assert shown.count("<details>") == shown.count("</details>")
