"""The Images of a folder, looked up and built from here as the daemon would."""

import argparse
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from reconciler.cli.folder import Folder, read_folder
from reconciler.clock import SystemClock
from reconciler.daemon.imaging import trust_of
from reconciler.engine.image_documents import known, stated_images
from reconciler.engine.images import Known, Running, Trees
from reconciler.engine.unasked import Unasked
from reconciler.errors import ConfigError, ImageMissing
from reconciler.images.buildah import Buildah
from reconciler.images.builder import Builder, Log, Work
from reconciler.images.builds import Builds, Said
from reconciler.images.inputs import Tree
from reconciler.images.pins import Pinner
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.images.stated import Commit, Stated, recovered
from reconciler.kube.names import Identity
from reconciler.model.image import Registries, Unknown
from reconciler.model.imaging import ImagesConfig, Tags
from reconciler.model.snapshot import Blobs, Snapshot
from reconciler.model.spec import Specs
from reconciler.specs.load import Loader

_DEADLINE: Final = 5.0  # seconds of trying again: a person waits
_BUILDAH_FOLDER: Final = "reconciler-build-"


@dataclass(frozen=True, slots=True)
class FolderImages:
    """`stated` are the Images that were asked for; `pinner` knows about all of them."""

    folder: Folder
    stated: Sequence[Stated]
    commit: Commit
    pinner: Pinner
    registry: Registry
    root: Path


class _Unbuilt:
    """A Builder that builds nothing."""

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        raise ImageMissing(
            "it has not been built from these inputs", where=str(work.target), hint="`reconciler image build` does"
        )


@asynccontextmanager
async def folder_images(args: argparse.Namespace, *, said: Said | None = None) -> AsyncIterator[FolderImages]:
    """Those of the folder that `args` name; with `said`, which takes the lines of logs, images can be built."""
    settings = images_config(args)
    source, snapshot = await read_folder(args)
    specs = await Loader().load(snapshot, source, namespace=args.namespace, scopes={})
    stated = [one for one in stated_images(specs, Tags.PIN) if not args.only or one.identity.name in args.only]
    if missing := sorted(set(args.only or ()) - {one.identity.name for one in stated}):
        raise ConfigError(f"there is no Image {missing[0]} in {args.path}", hint="`reconciler image list` shows them")
    async with pinner_of(settings, said=said) as (pinner, registry):
        commit = Commit(snapshot.source, Tree(await source.tree()), source)
        yield FolderImages(Folder(snapshot, specs), stated, commit, pinner, registry, Path(args.path))


@asynccontextmanager
async def pinner_of(settings: ImagesConfig, *, said: Said | None = None) -> AsyncIterator[tuple[Pinner, Registry]]:
    """What looks Images up as `settings` say; with `said` it builds them."""
    clock = SystemClock()
    limits = settings.build
    session = Session(settings.registries, clock, Random(), deadline=_DEADLINE)  # noqa: S311 - jitter
    registry = Registry(session)
    with TemporaryDirectory(prefix=_BUILDAH_FOLDER) as folder:
        builder: Builder = Buildah(session, Pusher(session), Path(folder)) if said else _Unbuilt()
        builds = Builds(
            registry,
            builder,
            clock,
            parallel=limits.parallel,
            timeout=limits.timeout,
            quota=limits.disk_bytes,
            said=said or (lambda _target, _line: None),
        )
        trust = [trust_of(rule) for rule in settings.signatures]
        pinner = Pinner(registry, clock, builds, trust)
        try:
            yield pinner, registry
        finally:
            await pinner.close()
            await session.close()


class FolderLook:
    """What Images mean, for a command that makes one pass or one plan: one's own Images, where a daemon would look on.

    With `--config` registries are asked and, where `builds`, images are built. Without it nobody is asked.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        trees: Trees,
        running: Running | None = None,
        *,
        builds: bool = False,
    ) -> None:
        self._settings = images_config(args) if getattr(args, "config", None) else None
        self._trees = trees
        self._running = running
        self._builds = builds

    def join(self, wake: Callable[[], None], suspended: Callable[[], Awaitable[bool]]) -> None:
        """Nobody is woken: there is one pass."""

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        """As Images says; what cannot be told is a fault here."""
        if self._settings is None:
            return await Unasked(self._trees, self._running).of(snapshot, specs)
        stated = stated_images(specs, self._settings.tags)
        if not stated:
            return Known()
        commit = Commit(snapshot.source, Tree(await self._trees.tree(snapshot.revision.commit)), self._trees)
        before = recovered(stated, await self._running() if self._running else ())
        async with pinner_of(self._settings, said=_show if self._builds else None) as (pinner, _registry):
            pins = await pinner.settle(stated, commit, before)
        found = known(specs, pins)
        pinned = dict(found.pinned or {})
        for identity, reference in pinned.items():
            if isinstance(reference, Unknown):
                pinned[identity] = reference._replace(fault=True)
        return Known(pinned, found.problems, found.held)

    async def close(self) -> None:
        """Nothing is left open."""


def _show(target: Reference, line: str) -> None:
    sys.stderr.write(f"{target.repository.path} | {line}\n")


def images_config(args: argparse.Namespace) -> ImagesConfig:
    """What the configuration says that `--config` names; without one, this user's own credentials."""
    from reconciler.specs.config import read_config

    if args.config:
        return read_config(args.config).images
    home = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    podman = Path(os.environ.get("XDG_RUNTIME_DIR") or "/run") / "containers" / "auth.json"
    found = next((str(file) for file in (home, podman) if file.is_file()), None)
    return ImagesConfig(registries=Registries(config_file=found))


def kept(users: Collection[Identity], image: Identity) -> list[str]:
    """Names for people: without the namespace, which is the Image's own."""
    return sorted(f"{user.kind}/{user.name}" for user in users if user.namespace == image.namespace)
