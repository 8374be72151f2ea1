"""A folder of specs through the first half of the pipeline: what validate, plan and apply have in common."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from reconciler.engine.images import Known, Running
from reconciler.errors import ConfigError
from reconciler.kube.names import GroupKind
from reconciler.model.config import SourceConfig
from reconciler.model.filled import NOTHING, Filling
from reconciler.model.image import Pinned, TreeFile
from reconciler.model.manifest import DriftMode, Manifests, Owner
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.problem import Problem
from reconciler.model.snapshot import Revision, Snapshot
from reconciler.model.spec import ImageSpec, Specs
from reconciler.render.render import Renderer
from reconciler.render.surroundings import Pools
from reconciler.source.directory import DirectorySource
from reconciler.source.repository import Poll
from reconciler.specs.config import read_config
from reconciler.specs.load import Loader


@dataclass(frozen=True, slots=True)
class Folder:
    snapshot: Snapshot
    specs: Specs
    images: Known = field(default_factory=Known)

    @property
    def pinned(self) -> Pinned | None:
        """What to render Images as: where nobody knows what one means, as something that is clearly none."""
        if self.images.pinned is None:
            return None
        from reconciler.engine.image_documents import stand_ins

        return stand_ins(self.specs, self.images)


class FolderRepository:
    """A folder where the engine wants a repository: one revision, and no history."""

    def __init__(self, source: DirectorySource) -> None:
        self._source = source

    async def poll(self) -> Poll:
        return Poll(await self._source.snapshot(), changed=True, error=None, delay=float("inf"))

    async def messages(self, _old: str, _new: str) -> tuple[str, ...]:
        return ()

    async def blame(self, _path: str, _rev: str) -> tuple[Revision | None, ...]:
        return ()

    async def tree(self, _commit: str) -> tuple[TreeFile, ...]:
        return await self._source.tree()

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        return await self._source.read(ids)

    async def close(self) -> None:
        """A folder holds nothing open."""


def directory(args: argparse.Namespace) -> DirectorySource:
    """The source that the flags of `repository_flags` name. Raises ConfigError."""
    root = Path(args.path)
    if not root.exists():
        raise ConfigError(f"there is no folder {args.path}", hint="name the folder that holds the specs")
    if not root.is_dir():
        raise ConfigError(f"{args.path} is a file", hint="name the folder that holds the specs")
    for path in args.paths:
        if path != "." and ".." not in Path(path).parts and not (root / path).is_dir():
            folders = sorted(str(each.relative_to(root)) for each in _folders(root))
            close = get_close_matches(path, folders, 1)
            hint = f"did you mean {close[0]}?" if close else "--paths names folders below PATH"
            raise ConfigError(f"there is no folder {path} in {args.path}", hint=hint)
    return DirectorySource(root, args.paths, source_name(args))


def _folders(root: Path, depth: int = 3) -> Iterator[Path]:
    for each in root.iterdir():
        if each.is_dir() and not each.is_symlink() and each.name != ".git":
            yield each
            if depth > 1:
                yield from _folders(each, depth - 1)


def source_name(args: argparse.Namespace) -> str:
    """Under which name the folder's objects are owned: --source, else the folder's own name made a name."""
    stated: str | None = getattr(args, "source", None)
    return stated or re.sub(r"[^a-z0-9]+", "-", Path(args.path).resolve().name.lower())[:63].strip("-") or "folder"


def folder_config(args: argparse.Namespace) -> SourceConfig:
    """A folder as if the daemon watched it."""
    name = source_name(args)
    return SourceConfig(name=name, url=args.path, paths=args.paths, namespace=args.namespace, adopt=args.adopt)


def planner_of(config: str | None) -> PlannerConfig | None:
    """The planner's part of a daemon's configuration, None where there is none. Raises ConfigError."""
    return read_config(config).planner if config else None


async def load_folder(
    args: argparse.Namespace,
    scopes: Mapping[GroupKind, bool] | None = None,
    running: Running | None = None,
    planner: PlannerConfig | None = None,
) -> Folder:
    """Read and validate the folder, also against the limits that `planner` has for specs. `scopes` and `running` come
    from a live cluster where there is one."""
    source, snapshot = await read_folder(args)
    specs = await Loader(planner=planner).load(snapshot, source, namespace=args.namespace, scopes=scopes or {})
    if not any(isinstance(document.spec, ImageSpec) for document in specs.documents.values()):
        return Folder(snapshot, specs)
    from reconciler.cli.imaged import FolderLook

    look = FolderLook(args, FolderRepository(source), running)
    return Folder(snapshot, specs, await look.of(snapshot, specs))


async def read_folder(args: argparse.Namespace) -> tuple[DirectorySource, Snapshot]:
    """The folder and its files. Raises ConfigError where there are none: that is a mistake, not a wish."""
    source = directory(args)
    snapshot = await source.snapshot()
    if not any(entry.layer >= 0 for entry in snapshot.entries):
        hint = "`reconciler init PATH` starts a repository"
        raise ConfigError(f"there are no files in {args.path}", hint=hint)
    return source, snapshot


def rendered(
    folder: Folder,
    filling: Filling = NOTHING,
    *,
    source: str,
    install: str,
    adopt: bool = False,
    pools: Pools = MappingProxyType({}),
) -> Manifests:
    """What the folder's specs render to, with what is filled in."""
    owner = Owner(install, source)
    return Renderer().render(
        folder.specs,
        filling,
        owner=owner,
        adopt=adopt,
        drift=DriftMode.HEAL,
        pools=pools,
        images=folder.pinned,
    )


def overlay_hint(args: argparse.Namespace, problems: Sequence[Problem]) -> str:
    """What to do where documents are stated twice because one folder is meant to be merged over another."""
    for problem in problems:
        if problem.code == "described-twice" and args.paths == (".",) and problem.also:
            first, second = (Path(place.path).parent for place in (problem.also[0], problem.location))
            if first != second:
                return f"is one folder merged over the other? then name them in order: --paths {first},{second}"
    return ""
