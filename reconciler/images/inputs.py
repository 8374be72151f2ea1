"""The inputs of a build, and their hash. Equal hashes are equal inputs, so the hash is the tag.

    the context's files   mode, path and blob id of each, less the ignored ones and images.lock.yaml
    the build             Containerfile (path and blob id), target, args, platforms
    base images           by digest

A blob's id is Git's hash of its content, so no file is read to know whether something changed. The lock file is never
an input: writing a new digest into it must not cause the next build. Symbolic links are kept as links where they stay
inside the context; one that leads out of it would take a file of the builder's machine into an image.
"""

import hashlib
import json
import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.errors import ImageRefused
from reconciler.images import containerfile
from reconciler.images.containerfile import Base
from reconciler.images.contents import EXECUTABLE, FILE, LINK, ContextFile, Limits, check, linked
from reconciler.images.ignored import FILES, MAX_BYTES, Ignored
from reconciler.model.image import LOCK_FILE, Build, TreeFile
from reconciler.model.snapshot import Blobs

PREFIX: Final = "inputs-"  # of the tags that we make
_FORMAT: Final = "reconciler.dev/inputs/1"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a build depends on, but for the digests of its bases."""

    root: str  # of the context in the repository; "" is the repository's own
    files: tuple[ContextFile, ...]
    build: Build
    containerfile: ContextFile
    bases: tuple[Base, ...]

    def tag(self, digests: Mapping[str, str]) -> str:
        """The hash, as a tag. `digests` has that of each base, by how the Containerfile writes it."""
        stated = [
            _FORMAT,
            sorted((one.path, one.mode, one.blob) for one in self.files),
            [self.containerfile.path, self.containerfile.blob],
            self.build.target,
            sorted(self.build.args.items()),
            sorted(set(self.build.platforms)),
            sorted((base.written, digests[base.written]) for base in self.bases),
        ]
        text = json.dumps(stated, ensure_ascii=True, separators=(",", ":"))
        return PREFIX + hashlib.sha256(text.encode("ascii")).hexdigest()[:40]


class Tree:
    """All names of a commit. Those below a folder are found without looking at the others."""

    def __init__(self, files: Iterable[TreeFile]) -> None:
        self._files = sorted(files)
        self._paths = [one.path for one in self._files]

    def find(self, path: str) -> TreeFile | None:
        """The name at `path`, None where there is none."""
        index = bisect_left(self._paths, path)
        return self._files[index] if index < len(self._paths) and self._paths[index] == path else None

    def below(self, folder: str) -> list[TreeFile]:
        """The names below `folder` ("" is the root), in order."""
        if not folder:
            return self._files
        return self._files[bisect_left(self._paths, f"{folder}/") : bisect_left(self._paths, f"{folder}0")]


_Key = tuple[str, str, str, str, tuple[tuple[str, str], ...]]


class Gatherer:
    """Gathers inputs in one repository, and remembers each build's as long as no name below its context changes."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._known: dict[_Key, tuple[Build, list[TreeFile], Inputs]] = {}
        self.gathered = 0  # how often something had to be read

    async def gather(self, build: Build, document: str, tree: Tree, blobs: Blobs) -> Inputs:
        """The inputs of the build that the document at path `document` states.

        Of the context's contents only the Containerfile, the ignore file and symbolic links are read. Raises
        ImageRefused.
        """
        root = context_root(build.context, document)
        names = tree.below(root)
        key = _key(build, document)
        known = self._known.get(key)
        if known is not None and known[0] == build and known[1] == names:
            return known[2]
        self.gathered += 1
        inputs = await _gather(build, root, names, blobs, self._limits)
        self._known[key] = (build, names, inputs)
        return inputs

    def forget_others(self, kept: Iterable[tuple[Build, str]]) -> None:
        """Forget all builds but these, each with its document's path."""
        keys = {_key(build, document) for build, document in kept}
        self._known = {key: value for key, value in self._known.items() if key in keys}


def _key(build: Build, document: str) -> _Key:
    return document, build.context, build.containerfile, build.target, tuple(sorted(build.args.items()))


async def _gather(build: Build, root: str, names: list[TreeFile], blobs: Blobs, limits: Limits) -> Inputs:
    if not names:
        raise ImageRefused("there is no such folder in the repository", where=f"context {root}")
    cut = len(root) + 1 if root else 0
    within = {one.path[cut:]: ContextFile(one.path[cut:], one.mode, one.blob, one.size) for one in names}
    ignored = await _ignored(within, root, blobs)
    file = _containerfile(build.containerfile, within, root)
    content = (await blobs.read([file.blob]))[file.blob]
    kept = [one for one in within.values() if one.path.rpartition("/")[2] != LOCK_FILE and not ignored(one.path)]
    check(kept, root, limits)
    links = sorted({one.blob for one in kept if one.mode == LINK})
    files = linked(kept, root, await blobs.read(links) if links else {})
    where = posixpath.join(root, file.path)
    return Inputs(root, files, build, file, containerfile.bases(content, build.args, where))


def context_root(context: str, document: str) -> str:
    """The context's folder from the repository's root. Raises ImageRefused for one that is outside."""
    where = f"{document}: context"
    if "\0" in context or posixpath.isabs(context):
        raise ImageRefused(f"{context!r} is not a folder of the repository", where=where, hint="state a relative path")
    found = posixpath.normpath(posixpath.join(posixpath.dirname(document), context))
    if found == ".." or found.startswith("../"):
        raise ImageRefused(f"{context!r} leads out of the repository", where=where)
    return "" if found == "." else found


async def _ignored(within: Mapping[str, ContextFile], root: str, blobs: Blobs) -> Ignored:
    for name in FILES:
        found = within.get(name)
        if found is None:
            continue
        where = posixpath.join(root, name)
        if found.mode not in (FILE, EXECUTABLE) or found.size > MAX_BYTES:
            raise ImageRefused(f"the file is not a regular file of at most {MAX_BYTES:,} bytes", where=where)
        return Ignored((await blobs.read([found.blob]))[found.blob], where)
    return Ignored()


def _containerfile(path: str, within: Mapping[str, ContextFile], root: str) -> ContextFile:
    normal = posixpath.normpath(path)
    where = posixpath.join(root, normal) if root else normal
    if posixpath.isabs(path) or normal.startswith("../") or normal in (".", ".."):
        raise ImageRefused(f"{path!r} is not a file below the context", where=root)
    found = within.get(normal)
    if found is None:
        near = next((name for name in ("Containerfile", "Dockerfile") if name in within), "")
        hint = f"there is a {near}: state containerfile: {near}" if near else ""
        raise ImageRefused("there is no such file", where=where, hint=hint)
    if found.mode not in (FILE, EXECUTABLE) or found.size > containerfile.MAX_BYTES:
        raise ImageRefused(f"the file is not a regular file of at most {containerfile.MAX_BYTES:,} bytes", where=where)
    return found
