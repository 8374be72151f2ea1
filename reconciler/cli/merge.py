"""`reconciler plan --base REV --head REV`: what merging one revision into another would do, dangers first."""

import argparse
from typing import TYPE_CHECKING

from reconciler.cli.exits import CHANGES, ERROR, OK

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from reconciler.cluster.cluster import Cluster
    from reconciler.model.cluster_view import NodeView
    from reconciler.model.config import SourceConfig
    from reconciler.review.review import Review
    from reconciler.source.repository import GitSource


def flags(parser: argparse.ArgumentParser) -> None:
    """Of `plan`."""
    group = parser.add_argument_group("a merge")
    group.add_argument("--base", metavar="REV", help="what is merged into: a branch, a tag or a commit")
    group.add_argument("--head", metavar="REV", help="what is merged (default: HEAD of the work tree)")


def show(args: argparse.Namespace) -> int:
    """Exit code 0: it does nothing, 2: it does something, 1: it is blocked, invalid or cannot be merged."""
    import asyncio

    from reconciler.cli.show import out
    from reconciler.errors import ConfigError
    from reconciler.model.review import Verdict

    if not args.base:
        raise ConfigError("--head without --base", hint="name what it is merged into: --base main")
    review = asyncio.run(_review(args))
    out(_rendered(review, args.output).rstrip("\n"))
    if review.verdict in (Verdict.BLOCK, Verdict.INVALID):
        return ERROR
    return CHANGES if review.effects.merged else OK


def _rendered(review: "Review", output: str) -> str:
    import os
    import sys

    from reconciler.review.views import json, markdown, sarif, text

    match output:
        case "markdown":
            return markdown.render(review)
        case "json":
            return json.render(review)
        case "sarif":
            return sarif.render(review)
    return text.render(review, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


async def _review(args: argparse.Namespace) -> "Review":
    from contextlib import AsyncExitStack

    from reconciler.engine.wanting import Wanting
    from reconciler.model.manifest import Owner
    from reconciler.review.reviewer import Beside, Reviewer

    async with AsyncExitStack() as stack:
        config, git = await _repository(stack, args)
        head = await git.snapshot(config.ref)
        base = await git.snapshot(_revision(args, args.base))
        merged = await git.merge(base.revision.commit, head.revision.commit)
        if args.offline:
            owner = Owner("offline", config.name)
            messages = await git.messages(base.revision.commit, head.revision.commit)
            reviewer = Reviewer(config, owner, Wanting(config, owner, git))
            return await reviewer.review(base, merged, head.revision, Beside(messages=messages))

        from reconciler.cli.session import session
        from reconciler.engine.filling import Filler

        it = await stack.enter_async_context(session(args))
        await it.scopes()
        owner = it.owner(config.name, await it.install(make=False))
        state = await it.state(config.name)
        applied = state.applied.commit if state.applied else base.revision.commit
        beside = Beside(
            cluster=it.cluster,
            state=state,
            nodes=await _nodes(it.cluster),
            messages=await git.messages(applied, head.revision.commit),
        )
        wanting = Wanting(
            config, owner, git, scopes=it.cluster.discovery.scopes, fill=Filler(config, it.cluster, store=it.store).fill
        )
        return await Reviewer(config, owner, wanting).review(base, merged, head.revision, beside)


async def _nodes(cluster: "Cluster") -> "list[NodeView] | None":
    """Those of the cluster; None where they may not be read."""
    from reconciler.errors import ApiError
    from reconciler.kube.names import GroupKind
    from reconciler.model.reading import node_view

    try:
        return [node_view(live.object) for live in await cluster.list(GroupKind("", "Node"))]
    except (ApiError, ValueError):
        return None


async def _repository(stack: "AsyncExitStack", args: argparse.Namespace) -> "tuple[SourceConfig, GitSource]":
    """The work tree that PATH is in, as if the daemon watched it at --head."""
    import posixpath
    from pathlib import Path
    from random import Random
    from tempfile import TemporaryDirectory

    from msgspec.structs import replace

    from reconciler.cli.applied import work_tree
    from reconciler.cli.folder import folder_config
    from reconciler.clock import SystemClock
    from reconciler.errors import ConfigError
    from reconciler.source.repository import GitSource

    top = work_tree(args.path)
    if top is None:
        raise ConfigError(f"{args.path} is in no Git work tree", hint="name a folder of a clone")
    inside = Path(args.path).resolve().relative_to(top).as_posix()  # noqa: ASYNC240 - once, at the start
    config = folder_config(args)
    paths = tuple(posixpath.normpath(posixpath.join(inside, path)) for path in config.paths)
    config = replace(config, url=str(top), ref=_revision(args, args.head or "HEAD"), paths=paths)
    cache = Path(stack.enter_context(TemporaryDirectory()))
    git = GitSource(config, cache, clock=SystemClock(), random=Random(0))  # noqa: S311 - jitter
    stack.push_async_callback(git.close)
    return config, git


def _revision(args: argparse.Namespace, rev: str) -> str:
    """The commit that a word means in the work tree. Raises ConfigError."""
    from pathlib import Path

    from reconciler.errors import ConfigError
    from reconciler.model.config import GitCredentials
    from reconciler.source.environment import Settings, environment
    from reconciler.source.history import resolve
    from reconciler.source.process import GitJob

    git = GitJob(Path(args.path).resolve(), Settings(environment(None, GitCredentials())), bare=False)
    commit = None if rev.startswith("-") else resolve(git, rev)
    if commit is None:
        raise ConfigError(
            f"there is no revision {rev!r} in {args.path}", hint="a branch, a tag or a commit; fetch first?"
        )
    return commit
