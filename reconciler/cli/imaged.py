"""The Images of a folder, looked up and built from here as the daemon would."""

import argparse
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from reconciler.cli.folder import Folder, read_folder
from reconciler.clock import SystemClock
from reconciler.daemon.imaging import trust_of
from reconciler.engine.pinning import stated_images
from reconciler.errors import ConfigError, ImageMissing
from reconciler.images.buildah import Buildah
from reconciler.images.builder import Builder, Log, Work
from reconciler.images.builds import Builds
from reconciler.images.inputs import Tree
from reconciler.images.pins import Pinner
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.images.stated import Commit, Stated
from reconciler.kube.names import Identity
from reconciler.model.image import Registries
from reconciler.model.imaging import ImagesConfig, Tags
from reconciler.model.snapshot import Blobs
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
async def folder_images(
    args: argparse.Namespace, *, said: Callable[[Reference, str], None] | None = None
) -> AsyncIterator[FolderImages]:
    """Those of the folder that `args` name; with `said`, which takes the lines of logs, images can be built."""
    settings = images_config(args)
    source, snapshot = await read_folder(args)
    specs = await Loader().load(snapshot, source, namespace=args.namespace, scopes={})
    stated = [one for one in stated_images(specs, Tags.PIN) if not args.only or one.identity.name in args.only]
    if missing := sorted(set(args.only or ()) - {one.identity.name for one in stated}):
        raise ConfigError(f"there is no Image {missing[0]} in {args.path}", hint="`reconciler image list` shows them")
    clock = SystemClock()
    session = Session(settings.registries, clock, Random(), deadline=_DEADLINE)  # noqa: S311 - jitter
    registry = Registry(session)
    with TemporaryDirectory(prefix=_BUILDAH_FOLDER) as folder:
        builder: Builder = Buildah(session, Pusher(session), Path(folder)) if said else _Unbuilt()
        limits = settings.build
        builds = Builds(
            registry,
            builder,
            clock,
            parallel=limits.parallel,
            timeout=limits.timeout,
            quota=limits.disk_bytes,
            said=said or (lambda _target, _line: None),
        )
        pinner = Pinner(registry, clock, builds, [trust_of(rule) for rule in settings.signatures])
        try:
            commit = Commit(snapshot.source, Tree(await source.tree()), source)
            yield FolderImages(Folder(snapshot, specs), stated, commit, pinner, registry, Path(args.path))
        finally:
            await pinner.close()
            await session.close()


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
