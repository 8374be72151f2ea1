"""What every Image means now, by digest: the door of this room.

    settle   for a commit: what its lock files say, else what is stated, built, or found in a registry
    scan     now and then: what is followed, asked of the registries; gives the changes to write back

A lock that fits wins over everything that a registry says: what is reviewed is what runs. Where nothing can be told
(a registry is down, a build failed, a signature is missing) the digest of before stays in use, with the reason.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reconciler.errors import ImageError, ImageRefused
from reconciler.images import lock
from reconciler.images.builds import Builds
from reconciler.images.follow import Selection
from reconciler.images.inputs import Gatherer, Tree
from reconciler.images.lock import Locked, Locks
from reconciler.images.reference import Reference, Repository
from reconciler.images.registry import Registry
from reconciler.images.resolve import Resolver
from reconciler.images.signatures import Key, verify
from reconciler.images.writeback import Change, lock_path
from reconciler.kube.names import Identity
from reconciler.model.image import Build, Follow, Resolved, Wanted
from reconciler.model.snapshot import Blobs

_VERIFIED: Final = 10_000  # digests that are remembered as signed


@dataclass(frozen=True, slots=True)
class Stated:
    """An Image document. One of `tag`, `digest`, `follow` and `build` is stated."""

    identity: Identity
    document: str  # its path in the repository
    repository: str
    tag: str = ""
    digest: str = ""
    follow: Follow | None = None
    build: Build | None = None


class Origin(StrEnum):
    STATED = "stated"  # the document has the digest itself
    LOCK = "lock"
    REGISTRY = "registry"
    BUILD = "build"
    BEFORE = "before"  # nothing newer can be told


@dataclass(frozen=True, slots=True)
class Pin:
    """A digest to use. `problem` says why it is that of before."""

    reference: Reference
    origin: Origin
    problem: ImageError | None = None


Pins = Mapping[Identity, Pin | ImageError]
"""An ImageError where there is no digest at all, not even one of before."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a source, as this room reads it."""

    source: str
    tree: Tree
    blobs: Blobs


class Pinner:
    """Pins Images. `keys` are those of which one must have signed every digest; none: nothing is verified.

    Without `builds` an Image that is built is refused.
    """

    def __init__(self, registry: Registry, builds: Builds | None = None, keys: Sequence[Key] = ()) -> None:
        self._registry = registry
        self._resolver = Resolver(registry)
        self._builds = builds
        self._keys = tuple(keys)
        self._gatherer = Gatherer()
        self._known: dict[_Question, Resolved | ImageError] = {}
        self._verified: dict[tuple[str, str], None] = {}

    async def settle(self, stated: Sequence[Stated], commit: Commit, before: Mapping[Identity, Reference]) -> Pins:
        """What each of `stated` means in `commit`. `before` is what was in use until now.

        Registries are asked only for what neither a lock nor an earlier answer tells.
        """
        locks = await self._locks(stated, commit)
        await self._ask([one for one in stated if _by_tag(one) and self._unknown(one, locks[lock_path(one.document)])])
        answers = await asyncio.gather(*(self._settle(one, commit, locks[lock_path(one.document)]) for one in stated))
        pins: dict[Identity, Pin | ImageError] = {}
        for one, answer in zip(stated, answers, strict=True):
            kept = before.get(one.identity)
            if isinstance(answer, ImageError) and kept is not None and str(kept.repository) == _name(one):
                answer = Pin(kept, Origin.BEFORE, answer)
            pins[one.identity] = answer
        return pins

    async def scan(
        self, stated: Sequence[Stated], commit: Commit, pins: Pins
    ) -> tuple[Sequence[Change], Mapping[Identity, ImageError]]:
        """What the lock files should say of `stated`, as far as it is not what they say, and what could not be told.

        Followed tags and stated ones are asked for now; for builds what `pins` has is taken.
        """
        locks = await self._locks(stated, commit)
        answers = await self._ask([one for one in stated if _by_tag(one)])
        changes: list[Change] = []
        failed: dict[Identity, ImageError] = {}
        for one in stated:
            path, key = lock_path(one.document), lock.key_of(one.identity)
            known = locks[path]
            try:
                if isinstance(known, ImageError):
                    raise known
                found = _found_for(one, answers.get(one.identity), pins.get(one.identity))
                if found is None:
                    continue
                after, why = found
                if known.get(key) != after:
                    await self._trusted(after.reference)
                    changes.append(Change(path, key, known.get(key), after, why))
            except ImageError as error:
                failed[one.identity] = error
        return tuple(changes), failed

    async def _ask(self, stated: Sequence[Stated]) -> Mapping[Identity, Resolved | ImageError]:
        """Ask the registries, once for all, what is followed. A good answer stands until there is another."""
        wanted = [Wanted(one.identity, one.repository, _follow(one)) for one in stated]
        found = await self._resolver.resolve(wanted) if wanted else {}
        for one in stated:
            answer, question = found[one.identity], _question(one)
            if isinstance(answer, Resolved) or not isinstance(self._known.get(question), Resolved):
                self._known[question] = answer
        return found

    def _unknown(self, one: Stated, locks: Locks | ImageError) -> bool:
        """Whether a registry has to be asked for what `one` means."""
        if isinstance(locks, ImageError) or isinstance(self._known.get(_question(one)), Resolved):
            return False
        try:
            return _locked(one, locks) is None
        except ImageError:
            return False

    async def _settle(self, one: Stated, commit: Commit, locks: Locks | ImageError) -> Pin | ImageError:
        try:
            pin = await self._pin(one, commit, locks)
            await self._trusted(pin.reference)
        except ImageError as error:
            error.where = error.where or str(one.identity)
            return error
        return pin

    async def _pin(self, one: Stated, commit: Commit, locks: Locks | ImageError) -> Pin:
        repository = Repository.parse(one.repository)
        if one.digest:
            return Pin(Reference.parse(f"{repository}@{one.digest}"), Origin.STATED)
        if isinstance(locks, ImageError):
            raise locks
        if one.build is not None:
            return await self._built(one, one.build, repository, commit, locks.get(lock.key_of(one.identity)))
        locked = _locked(one, locks)
        if locked is not None:
            return Pin(locked.reference, Origin.LOCK)
        found = self._known[_question(one)]
        if isinstance(found, ImageError):
            raise found
        return Pin(repository.at(tag=found.tag, digest=found.digest), Origin.REGISTRY)

    async def _built(
        self, one: Stated, build: Build, repository: Repository, commit: Commit, locked: Locked | None
    ) -> Pin:
        if self._builds is None:
            raise ImageRefused("there is nothing to build images with", where=str(one.identity))
        inputs = await self._gatherer.gather(build, one.document, commit.tree, commit.blobs)
        target = await self._builds.target(repository, inputs)
        if locked is not None and locked.fits(repository) and locked.tag == target.tag:
            return Pin(locked.reference, Origin.LOCK)
        owner = (commit.source, one.identity)
        built = await self._builds.ensure(owner, repository, inputs, commit.blobs)
        return Pin(repository.at(tag=built.tag, digest=built.digest), Origin.BUILD)

    async def _locks(self, stated: Iterable[Stated], commit: Commit) -> Mapping[str, Locks | ImageError]:
        """The lock files beside the documents, by path; what is wrong with one concerns its own Images only."""
        paths = sorted({lock_path(one.document) for one in stated})
        files = {path: file for path in paths if (file := commit.tree.find(path)) is not None}
        contents = await commit.blobs.read(sorted({file.blob for file in files.values()})) if files else {}
        found: dict[str, Locks | ImageError] = {}
        for path in paths:
            try:
                found[path] = lock.parse(contents[files[path].blob], path) if path in files else {}
            except ImageError as error:
                found[path] = error
        return found

    async def _trusted(self, reference: Reference) -> None:
        """Raises ImageUntrusted where a signature is asked for and none holds."""
        key = (str(reference.repository), reference.digest)
        if not self._keys or key in self._verified:
            return
        await verify(self._registry, reference, self._keys)
        if len(self._verified) >= _VERIFIED:
            self._verified.pop(next(iter(self._verified)))
        self._verified[key] = None


def _found_for(
    one: Stated, answer: Resolved | ImageError | None, pin: Pin | ImageError | None
) -> tuple[Locked, str] | None:
    """What a lock file should say of an Image, and why; None where it has no business in one."""
    if isinstance(answer, ImageError):
        raise answer
    if answer is not None:
        return Locked(answer.repository, answer.tag, answer.digest), Selection.of(_follow(one)).why
    if isinstance(pin, Pin) and pin.origin is Origin.BUILD:
        locked = Locked(str(pin.reference.repository), pin.reference.tag, pin.reference.digest)
        return locked, "was built from its inputs"
    return None


def _by_tag(one: Stated) -> bool:
    """Whether a registry, or a lock, says which digest is meant."""
    return one.follow is not None or bool(one.tag)


def _follow(one: Stated) -> Follow:
    return one.follow or Follow(tag=one.tag)


_Question = tuple[str, str | None, str | None, str | None, str | None]


def _question(one: Stated) -> _Question:
    """What is asked for an Image: those who ask the same get the same answer."""
    follow = _follow(one)
    return one.repository, follow.semver, follow.tag, follow.pattern, follow.order


def _locked(one: Stated, locks: Locks) -> Locked | None:
    """The lock's entry for an Image that is found by its tag, where it fits. Raises ImageRefused."""
    locked = locks.get(lock.key_of(one.identity))
    if locked is None or not locked.fits(Repository.parse(one.repository)):
        return None
    return locked if not locked.tag or Selection.of(_follow(one)).accepts(locked.tag) else None


def _name(one: Stated) -> str:
    """The whole name of an Image's repository, "" where it cannot be read."""
    try:
        return str(Repository.parse(one.repository))
    except ImageRefused:
        return ""
