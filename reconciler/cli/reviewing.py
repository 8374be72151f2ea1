"""What a command that reviews merges holds open: the clone, the cluster if one is asked, and what was read so far."""

import argparse
import posixpath
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace

from reconciler.cli.applied import work_tree
from reconciler.cli.folder import folder_config, planner_of
from reconciler.cli.imaged import FolderLook
from reconciler.cli.planning import imagined_planner, live_planner
from reconciler.cli.session import Session, session
from reconciler.clock import SystemClock
from reconciler.engine.filling import Filler
from reconciler.engine.running import running_images
from reconciler.engine.trial import ImaginedFiller, TrialPlanner
from reconciler.engine.wanting import Fill, Wanting
from reconciler.errors import ConfigError
from reconciler.model.cluster_view import NodeView
from reconciler.model.config import GitCredentials, SourceConfig
from reconciler.model.manifest import Owner
from reconciler.model.snapshot import Revision
from reconciler.review.beside import new_messages, nodes_of
from reconciler.review.building import Unbuilt
from reconciler.review.review import Review
from reconciler.review.reviewer import Beside, Reviewer
from reconciler.source.environment import Settings, environment
from reconciler.source.history import resolve
from reconciler.source.merging import DEEPEN
from reconciler.source.process import GitJob
from reconciler.source.repository import GitSource


class Reviewing:
    """Reviews the merge of --head into --base, as often as is asked."""

    def __init__(
        self,
        args: argparse.Namespace,
        config: SourceConfig,
        git: GitSource,
        it: Session | None,
        reviewer: Reviewer,
        nodes: Sequence[NodeView] | None,
        planner: TrialPlanner | None,
    ) -> None:
        self.config = config
        self.git = git
        self.it = it
        self.planner = planner
        self._args = args
        self._reviewer = reviewer
        self._nodes = nodes

    @property
    def requests(self) -> int:
        """That the cluster was sent so far."""
        return sum(self.it.cluster.requests.values()) if self.it is not None else 0

    async def revisions(self) -> tuple[Revision, Revision]:
        """Of the base and the head, as they are now. Raises ReconcilerError."""
        base, head = [
            (await self.git.snapshot(commit_of(self._args, rev))).revision for rev in (self._args.base, self._head)
        ]
        return base, head

    async def review(self) -> Review:
        """Raises ReconcilerError."""
        head = await self.git.snapshot(commit_of(self._args, self._head))
        base = await self.git.snapshot(commit_of(self._args, self._args.base))
        merged = await self.git.merge(base.revision.commit, head.revision.commit)
        cluster = self.it.cluster if self.it is not None else None
        state = await self.it.state(self.config.name) if self.it is not None else None
        messages = await new_messages(self.git, state, base.revision.commit, head.revision.commit)
        beside = Beside(cluster, state, self._nodes, messages)
        return await self._reviewer.review(base, merged, head.revision, beside)

    @property
    def _head(self) -> str:
        return self._args.head or "HEAD"


@asynccontextmanager
async def opened(args: argparse.Namespace) -> AsyncIterator[Reviewing]:
    """As the flags of `plan` say: beside a cluster, one in a file, or the base alone. Raises ReconcilerError."""
    async with AsyncExitStack() as stack:
        config, git = repository(stack, args, args.head or "HEAD")
        configured = planner_of(args.config)
        if args.offline or args.snapshot:
            owner = Owner("offline", config.name)
            planner = imagined_planner(configured, args.snapshot)
            fill = ImaginedFiller(planner, config.name).fill if planner is not None else None
            images = Unbuilt(FolderLook(args, git), git)
            wanting = partial(Wanting, config, owner, git, images=images, planner=configured)
            reviewer = _reviewer(config, owner, planner, wanting, fill)
            nodes = planner.there.view({}).nodes if planner is not None else None
            yield Reviewing(args, config, git, None, reviewer, nodes, planner)
            return
        it = await stack.enter_async_context(session(args))
        await it.scopes()
        owner = it.owner(config.name, await it.install(make=False))
        planner = await live_planner(configured, it)
        planning = planner.planning if planner is not None else None
        known = (await it.state(config.name)).kinds
        images = Unbuilt(FolderLook(args, git, partial(running_images, it.cluster, it.store, config)), git)
        scopes = it.cluster.discovery.scopes
        wanting = partial(Wanting, config, owner, git, scopes=scopes, images=images, planner=configured)
        fill = Filler(config, it.cluster, planning, it.store if known else None).fill
        reviewer = _reviewer(config, owner, planner, wanting, fill)
        yield Reviewing(args, config, git, it, reviewer, await nodes_of(it.cluster), planner)


def _reviewer(
    config: SourceConfig,
    owner: Owner,
    planner: TrialPlanner | None,
    wanting: Callable[..., Wanting],
    fill: Fill | None,
) -> Reviewer:
    if planner is None:
        return Reviewer(config, owner, wanting(fill=fill) if fill is not None else wanting())
    return Reviewer(config, owner, wanting(fill=fill, pools=planner.planning.pools), lambda: planner.made)


def repository(
    stack: AsyncExitStack, args: argparse.Namespace, rev: str, **stated: Any
) -> tuple[SourceConfig, GitSource]:
    """The repository that PATH is in, as if the daemon watched it at `rev`, as a source for which `stated` holds before
    what `args` say. Raises ConfigError."""
    top = work_tree(args.path)
    if top is None:
        raise ConfigError(f"{args.path} is in no Git work tree", hint="name a folder of a clone")
    inside = Path(args.path).resolve().relative_to(top.resolve()).as_posix()
    config = folder_config(args)
    paths = tuple(posixpath.normpath(posixpath.join(inside, path)) for path in config.paths)
    config = replace(config, url=str(top), ref=commit_of(args, rev), **{"paths": paths, **stated})
    cache = Path(stack.enter_context(TemporaryDirectory()))
    git = GitSource(config, cache, clock=SystemClock(), random=Random(0))  # noqa: S311 - jitter
    stack.push_async_callback(git.close)
    return config, git


def commit_of(args: argparse.Namespace, rev: str) -> str:
    """The commit that a word means in the work tree. Raises ConfigError."""
    git = GitJob(Path(args.path).resolve(), Settings(environment(None, GitCredentials())), bare=False)
    commit = None if rev.startswith("-") else resolve(git, rev)
    if commit is None:
        what, shallow = f"there is no revision {rev!r} in {args.path}", git.run("rev-parse", "--is-shallow-repository")
        if shallow.strip() == b"true":
            raise ConfigError(what, why="it is a shallow clone", hint=DEEPEN)
        raise ConfigError(what, hint="a branch, a tag or a commit; fetch first?")
    return commit
