"""A folder of specs through the first half of the pipeline: what validate, plan and apply have in common."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ConfigError
from reconciler.kube.names import GroupKind
from reconciler.model.manifest import DriftMode, Manifests, Owner
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.planner.identity import plan
from reconciler.render.render import Renderer
from reconciler.source.directory import DirectorySource
from reconciler.source.repository import Poll
from reconciler.specs.load import Loader


@dataclass(frozen=True, slots=True)
class Folder:
    snapshot: Snapshot
    specs: Specs


class FolderRepository:
    """A folder where the engine wants a repository: one revision, and no history."""

    def __init__(self, source: DirectorySource) -> None:
        self._source = source

    async def poll(self) -> Poll:
        return Poll(await self._source.snapshot(), changed=True, error=None, delay=float("inf"))

    async def messages(self, _old: str, _new: str) -> tuple[str, ...]:
        return ()

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        return await self._source.read(ids)

    async def close(self) -> None:
        """A folder holds nothing open."""


def directory(args: argparse.Namespace, name: str = "folder") -> DirectorySource:
    """The source that the flags of `repository_flags` name. Raises ConfigError."""
    path = Path(args.path)
    if not path.is_dir():
        raise ConfigError(f"{args.path} is not a folder", hint="name the folder that holds the specs")
    return DirectorySource(path, tuple(part.strip() for part in args.paths.split(",") if part.strip()), name)


async def load_folder(args: argparse.Namespace, scopes: Mapping[GroupKind, bool] | None = None) -> Folder:
    """Read and validate the folder. `scopes` comes from a live cluster where there is one."""
    source = directory(args)
    snapshot = await source.snapshot()
    specs = await Loader().load(snapshot, source, namespace=args.namespace, scopes=scopes or {})
    return Folder(snapshot, specs)


def rendered(folder: Folder, *, source: str, install: str, adopt: bool = False) -> Manifests:
    """What the folder's specs render to."""
    owner = Owner(install, source)
    return Renderer().render(folder.specs, plan(folder.specs), owner=owner, adopt=adopt, drift=DriftMode.HEAL)
