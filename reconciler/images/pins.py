"""What every Image means now, by digest: the door of this room.

    settle   for a commit: what its lock files say, else what is stated, built, or found in a registry
    scan     now and then: what is followed, asked of the registries; gives the changes to write back

A lock that fits wins over everything that a registry says: what is reviewed is what runs. Where nothing can be told
(a registry is down, a build failed, a signature is missing) the digest of before stays in use, with the reason.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from reconciler.clock import Clock
from reconciler.errors import BuildFailed, ImageError, ImageMissing, ImageRefused, ImageUntrusted, SourceError
from reconciler.images import lock
from reconciler.images.builds import Builds
from reconciler.images.inputs import Gatherer
from reconciler.images.lock import Locked, Locks
from reconciler.images.pending import Pending
from reconciler.images.reference import Reference, Repository
from reconciler.images.registry import Registry
from reconciler.images.resolve import Resolver
from reconciler.images.stated import (
    Commit,
    Origin,
    Pin,
    Pins,
    Question,
    Stated,
    awaited,
    by_tag,
    follow_of,
    found_for,
    kept,
    locked_for,
    question_of,
)
from reconciler.images.trust import Trust, Trusted
from reconciler.images.writeback import Change, lock_path
from reconciler.kube.names import Identity
from reconciler.model.image import Build, Follow, Resolved, Wanted

_Answers = Mapping[Identity, Resolved | ImageError]


def _nobody(_source: str) -> None:
    pass


class Pinner:
    """Pins Images. `trust` says whose digests need signatures.

    Without `builds` an Image that is built is refused. `news` is told the name of a source for which `settle` would
    now say something else than it did.
    """

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        builds: Builds | None = None,
        trust: Sequence[Trust] = (),
        news: Callable[[str], None] = _nobody,
    ) -> None:
        self._registry = registry
        self._resolver = Resolver(registry)
        self._builds = builds
        self._trusted = Trusted(registry, trust)
        self._gatherers: dict[str, Gatherer] = {}  # by source
        self._known: dict[Question, Resolved | ImageError] = {}
        self._pending = Pending[Pin | ImageError](clock, lambda answer: isinstance(answer, BuildFailed), news)

    async def settle(
        self,
        stated: Sequence[Stated],
        commit: Commit,
        before: Mapping[Identity, Reference],
        *,
        patience: float | None = None,
    ) -> Pins:
        """What each of `stated`, all Images of a source, means in `commit`. `before` is what was in use until now.

        Registries are asked only for what neither a lock nor an earlier answer tells. What takes longer than
        `patience` seconds (None: however long) goes on, is ImageAwaited here, and is told as news when it is there.
        """
        locks = await locks_of(stated, commit)
        unknown = [one for one in stated if by_tag(one) and self._unknown(one, locks[lock_path(one.document)])]
        asking = asyncio.ensure_future(self._ask(unknown)) if unknown else None
        asked: dict[Identity, asyncio.Task[Pin | ImageError]] = {}
        for one in stated:
            known = locks[lock_path(one.document)]
            question = await self._asked(one, commit, known)
            work = partial(self._settle, one, commit, known, asking)
            asked[one.identity] = self._pending.ask((commit.source, one.identity), question, work)
        self._pending.keep(commit.source, asked)
        self._gatherer(commit).forget_others((one.build, one.document) for one in stated if one.build is not None)
        await self._pending.wait([(commit.source, identity) for identity in asked], patience)
        pins: dict[Identity, Pin | ImageError] = {}
        for one in stated:
            task = asked[one.identity]
            pins[one.identity] = task.result() if task.done() and not task.cancelled() else awaited(one)
        return kept(stated, pins, before)

    async def close(self) -> None:
        """End everything that is still asked or built."""
        if self._builds is not None:
            await self._builds.close()  # first: a build that nobody waits for any more would be given up
        await self._pending.close()

    async def scan(
        self, stated: Sequence[Stated], commit: Commit, pins: Pins
    ) -> tuple[Sequence[Change], Mapping[Identity, ImageError]]:
        """What the lock files should say of `stated`, as far as it is not what they say, and what could not be told.

        Followed tags and stated ones are asked for now. For builds what `pins` has is taken, if the registry still has
        it; if not, the next `settle` builds it again.
        """
        locks = await locks_of(stated, commit)
        answers, lost = await asyncio.gather(
            self._ask([one for one in stated if by_tag(one)]), self._lost([one for one in stated if one.build], pins)
        )
        changes: list[Change] = []
        failed: dict[Identity, ImageError] = dict(lost)
        for one in stated:
            if one.identity in lost:
                continue
            path, key = lock_path(one.document), lock.key_of(one.identity)
            known = locks[path]
            try:
                if isinstance(known, ImageError):
                    raise known
                found = found_for(one, answers.get(one.identity), pins.get(one.identity))
                if found is None:
                    continue
                after, why = found
                if known.get(key) != after:
                    await self._trusted.check(after.reference)
                    changes.append(Change(path, key, known.get(key), after, why))
            except ImageError as error:
                failed[one.identity] = error
        return tuple(changes), failed

    async def _lost(self, stated: Sequence[Stated], pins: Pins) -> Mapping[Identity, ImageError]:
        """Those whose image was built and is not in the registry any more, or is another."""
        built = {one.identity: pin for one in stated if isinstance(pin := pins.get(one.identity), Pin)}
        wanted = [
            Wanted(identity, str(pin.reference.repository), Follow(tag=pin.reference.tag))
            for identity, pin in built.items()
            if pin.reference.tag
        ]
        found: dict[Identity, ImageError] = {}
        for identity, answer in (await self._resolver.resolve(wanted)).items():
            reference = built[identity].reference
            if isinstance(answer, ImageMissing) and self._builds is not None:
                self._builds.forget(reference)
            if isinstance(answer, ImageError):
                found[identity] = answer
            elif answer.digest != reference.digest:
                found[identity] = ImageUntrusted(
                    "the tag of a build has another digest than was pushed",
                    where=str(reference),
                    why=f"it is {answer.digest} now",
                    hint="somebody pushed to it; what was built stays in use",
                )
        return found

    async def _ask(self, stated: Sequence[Stated]) -> Mapping[Identity, Resolved | ImageError]:
        """Ask the registries, once for all, what is followed. A good answer stands until there is another."""
        wanted = [Wanted(one.identity, one.repository, follow_of(one)) for one in stated]
        found = await self._resolver.resolve(wanted) if wanted else {}
        for one in stated:
            answer, question = found[one.identity], question_of(one)
            if isinstance(answer, Resolved) or not isinstance(self._known.get(question), Resolved):
                self._known[question] = answer
        return found

    def _unknown(self, one: Stated, locks: Locks | ImageError) -> bool:
        """Whether a registry has to be asked for what `one` means."""
        if isinstance(locks, ImageError) or isinstance(self._known.get(question_of(one)), Resolved):
            return False
        try:
            return locked_for(one, locks) is None
        except ImageError:
            return False

    async def _asked(self, one: Stated, commit: Commit, locks: Locks | ImageError) -> object:
        """What is asked about an Image: as long as it is equal, an answer that is under way is still right."""
        entry = locks if isinstance(locks, ImageError) else locks.get(lock.key_of(one.identity))
        if one.build is None:
            return one, entry
        try:
            return one, entry, await self._gatherer(commit).gather(one.build, one.document, commit.tree, commit.blobs)
        except (ImageError, SourceError) as error:
            return one, entry, str(error)

    async def _settle(
        self, one: Stated, commit: Commit, locks: Locks | ImageError, asking: asyncio.Future[_Answers] | None
    ) -> Pin | ImageError:
        try:
            if asking is not None and by_tag(one):
                await asyncio.shield(asking)
            pin = await self._pin(one, commit, locks)
            await self._trusted.check(pin.reference)
        except ImageError as error:
            error.where = error.where or str(one.identity)
            return error
        except SourceError as error:
            return ImageError("the repository cannot be read", where=str(one.identity), why=str(error))
        return pin

    async def _pin(self, one: Stated, commit: Commit, locks: Locks | ImageError) -> Pin:
        repository = Repository.parse(one.repository)
        if one.digest:
            return Pin(Reference.parse(f"{repository}@{one.digest}"), Origin.STATED)
        if isinstance(locks, ImageError):
            raise locks
        if one.build is not None:
            return await self._built(one, one.build, repository, commit, locks.get(lock.key_of(one.identity)))
        locked = locked_for(one, locks)
        if locked is not None:
            return Pin(locked.reference, Origin.LOCK)
        found = self._known[question_of(one)]
        if isinstance(found, ImageError):
            raise found
        return Pin(repository.at(tag=found.tag, digest=found.digest), Origin.REGISTRY)

    async def _built(
        self, one: Stated, build: Build, repository: Repository, commit: Commit, locked: Locked | None
    ) -> Pin:
        if self._builds is None:
            raise ImageRefused("there is nothing to build images with", where=str(one.identity))
        inputs = await self._gatherer(commit).gather(build, one.document, commit.tree, commit.blobs)
        target = await self._builds.target(repository, inputs)
        if locked is not None and locked.fits(repository) and locked.tag == target.tag:
            return Pin(locked.reference, Origin.LOCK)
        owner = (commit.source, one.identity)
        built = await self._builds.ensure(owner, repository, inputs, commit.blobs)
        return Pin(repository.at(tag=built.tag, digest=built.digest), Origin.BUILD)

    def _gatherer(self, commit: Commit) -> Gatherer:
        return self._gatherers.setdefault(commit.source, Gatherer())


async def locks_of(stated: Iterable[Stated], commit: Commit) -> Mapping[str, Locks | ImageError]:
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
