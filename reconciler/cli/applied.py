"""What a source states, as it was applied last: from a repository, or from the folder that a person has at hand."""

import argparse
import posixpath
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from reconciler.cli.folder import source_name
from reconciler.cli.session import Session
from reconciler.clock import SystemClock
from reconciler.drift.attribution import Blame, History
from reconciler.engine.filling import Filler
from reconciler.engine.image_documents import stated_images, written
from reconciler.engine.running import running_images
from reconciler.errors import ConfigError, SourceError, SourceMissing
from reconciler.images.stated import recovered
from reconciler.model.config import GitCredentials, SourceConfig
from reconciler.model.image import Pinned
from reconciler.model.imaging import Tags
from reconciler.model.manifest import Manifests, Owner
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import ImageSpec, Specs
from reconciler.render.image import images
from reconciler.render.render import Renderer
from reconciler.source.directory import DirectorySource
from reconciler.source.environment import Settings, environment
from reconciler.source.process import GitFailed, GitJob
from reconciler.source.repository import GitSource
from reconciler.specs.config import read_config
from reconciler.specs.load import Loader


@dataclass(frozen=True, slots=True)
class Applied:
    """One source as it was applied last, or the nearest to it that could be had: then `note` says what that is."""

    config: SourceConfig
    owner: Owner
    snapshot: Snapshot
    specs: Specs
    manifests: Manifests
    history: History
    loader: Loader
    note: str = ""

    @property
    def revision(self) -> str:
        """For people: the commit, or the folder."""
        return self.snapshot.revision.short or "the folder"


async def chosen(it: Session, args: argparse.Namespace) -> tuple[str, str]:
    """The source and the folder that `args.what` (a source's name, or a folder) means. Raises ConfigError."""
    names = await it.store.sources()
    what = args.what or "."
    if what in names:
        return what, what if Path(what).is_dir() else "."  # noqa: ASYNC240 - once, at the start
    if "/" not in what and what != "." and not Path(what).is_dir():  # noqa: ASYNC240
        return await it.known(what), "."  # says which sources there are
    named = source_name(argparse.Namespace(source=args.source, path=what))
    return (named if named in names else await it.known(args.source)), what


@asynccontextmanager
async def as_applied(it: Session, args: argparse.Namespace, source: str, path: str) -> AsyncIterator[Applied]:
    """What `source` states at the revision that is on record as applied, from --repo or from the folder `path`.

    Raises ConfigError where nothing was applied, SourceError where the repository cannot be read.
    """
    state = await it.store.load(source)
    mark = state.applied or state.seen
    if mark is None:
        raise ConfigError(f"source {source} has not been applied yet", hint="`reconciler plan` shows what it would do")
    config = _config(args, source, path)
    async with AsyncExitStack() as stack:
        loader = Loader()
        snapshot, history, note = await _found(stack, args, config, path, mark.commit)
        specs = await loader.load(snapshot, history, namespace=config.namespace, scopes=await it.scopes())
        owner = it.owner(source, await it.install(make=False))
        pinned = await _pinned(it, config, specs)
        filling = await Filler(config, it.cluster).fill(specs, images=pinned)
        manifests = Renderer().render(
            specs, filling, owner=owner, adopt=False, drift=config.drift, drift_rules=config.drift_rules, images=pinned
        )
        yield Applied(config, owner, snapshot, specs, manifests, history, loader, note)


async def _pinned(it: Session, config: SourceConfig, specs: Specs) -> Pinned | None:
    """What Images were applied as: what workloads run, where that is what an Image may mean."""
    stated = stated_images(specs, Tags.PIN)
    if not stated:
        return None
    pinned = dict(images(specs))
    running = await running_images(it.cluster, it.store, config)
    for identity, reference in recovered(stated, running, builds=True).items():
        spec = specs.documents[identity].spec
        pinned[identity] = written(spec, reference) if isinstance(spec, ImageSpec) else pinned[identity]
    return pinned


def _config(args: argparse.Namespace, source: str, path: str) -> SourceConfig:
    """The source as --config has it, or as the other flags say. Raises ConfigError."""
    if not args.config:
        url = args.repo or path
        if args.repo and Path(args.repo).is_dir():
            url = str(Path(args.repo).resolve())
        return SourceConfig(name=source, url=url, ref=args.ref, paths=args.paths, namespace=args.namespace)
    configured = {each.name: each for each in read_config(args.config).sources}
    if source not in configured:
        hint = f"it has {', '.join(configured)}"
        raise ConfigError(f"there is no source {source!r} in it", where=args.config, hint=hint)
    return configured[source]


async def _found(
    stack: AsyncExitStack, args: argparse.Namespace, config: SourceConfig, path: str, commit: str
) -> tuple[Snapshot, History, str]:
    """The snapshot of `commit`, where its files and its history are read, and a note where it is another one."""
    if args.repo or args.config:
        snapshot, git = await _repository(stack, replace(config, ref=commit or config.ref))
        note = "" if commit else f"a folder was applied; it is compared with {config.ref} of {config.url}"
        return snapshot, git, note
    folder = DirectorySource(Path(path), config.paths, config.name)
    now = "its files are taken as they are now"
    if (top := work_tree(path)) is None:
        note = f"{path} is no Git work tree: {now}" if commit else ""
        return await folder.snapshot(), _Folder(folder), note
    inside = Path(path).resolve().relative_to(top).as_posix()  # noqa: ASYNC240 - once, at the start
    paths = tuple(posixpath.normpath(posixpath.join(inside, one)) for one in config.paths)
    try:
        snapshot, git = await _repository(stack, replace(config, url=str(top), ref=commit or "HEAD", paths=paths))
    except SourceError as error:  # never committed, a shallow clone, another repository
        why = "a shallow clone" if (top / ".git" / "shallow").exists() else error.what
        note = f"commit {commit[:12]} cannot be read from {path} ({why}): {now}" if commit else ""
        return await folder.snapshot(), _Folder(folder), note
    if commit:
        return snapshot, git, ""
    found = await folder.snapshot()
    return found, _Folder(folder, found, inside, git, snapshot), ""


async def _repository(stack: AsyncExitStack, config: SourceConfig) -> tuple[Snapshot, GitSource]:
    """Raises SourceError."""
    cache = Path(stack.enter_context(TemporaryDirectory()))
    git = GitSource(config, cache, clock=SystemClock(), random=Random(0))  # noqa: S311 - jitter
    stack.push_async_callback(git.close)
    poll = await git.poll()
    if poll.snapshot is None or poll.error is not None:
        raise poll.error or SourceMissing(f"{config.url} has no commit")
    return poll.snapshot, git


def work_tree(path: str) -> Path | None:
    """The top of the Git work tree that `path` is in; a bare repository is its own."""
    if not Path(path).is_dir():
        raise ConfigError(f"there is no folder {path}", hint="name the folder that holds the specs, or --repo")
    git = GitJob(Path(path).resolve(), Settings(environment(None, GitCredentials())), bare=False)
    try:
        bare = git.run("rev-parse", "--is-bare-repository").strip() == b"true"
        asked = "--absolute-git-dir" if bare else "--show-toplevel"
        return Path(git.run("rev-parse", asked).decode().rstrip("\n"))
    except GitFailed:
        return None


class _Folder:
    """A folder as it is now. Files that are as in the commit `head` of its repository have that one's history."""

    def __init__(
        self,
        folder: DirectorySource,
        now: Snapshot | None = None,
        inside: str = ".",
        git: GitSource | None = None,
        head: Snapshot | None = None,
    ) -> None:
        self._folder = folder
        self._now = _blobs(now)
        self._inside = inside  # the folder's own path in the repository
        self._git = git
        self._head = _blobs(head)
        self._commit = head.revision.commit if head else ""

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        return await self._folder.read(ids)

    async def blame(self, path: str, rev: str) -> Blame:
        place = posixpath.normpath(posixpath.join(self._inside, path))
        if self._git is None or self._now.get(path) != self._head.get(place):
            return ()
        return await self._git.blame(place, self._commit)


def _blobs(snapshot: Snapshot | None) -> dict[str, str]:
    return {entry.path: entry.blob for entry in snapshot.entries} if snapshot else {}
