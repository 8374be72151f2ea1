"""Which builds run: each set of inputs once, so many at a time, and none that nobody waits for any more.

    ensure(owner, repository, inputs, blobs)
      the bases' digests         one HEAD for each tag, shared for a while by all builds
      the inputs' hash           the tag
      the registry has the tag   done; nothing is built
      it is being built          wait for that, whoever began it
      else                       build, push, done

An owner (an Image of a source) wants one thing at a time: when it asks for other inputs, which a newer commit does,
what it asked for before is cancelled unless somebody else waits for it too. After a restart everything is asked for
again, and what was finished is in the registry.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.clock import Clock
from reconciler.errors import BuildFailed
from reconciler.images.builder import LEFT, QUOTA, TIMEOUT, Builder, Log, Work
from reconciler.images.inputs import Inputs
from reconciler.images.reference import Reference, Repository
from reconciler.images.registry import Registry
from reconciler.model.image import Built
from reconciler.model.snapshot import Blobs

PARALLEL: Final = 2
BASE_LIFE: Final = 300.0  # seconds for which a base's digest is not asked for again

Said = Callable[[Reference, str], None]
"""Takes each line of each build's log. Must not block and must not raise."""


def _ignore(_target: Reference, _line: str) -> None:
    pass


@dataclass(slots=True)
class _Running:
    task: asyncio.Task[Built]
    owners: set[Hashable] = field(default_factory=set)


class Builds:
    """Builds with `builder`, at most `parallel` at a time. Times are in seconds, `quota` is in bytes."""

    def __init__(
        self,
        registry: Registry,
        builder: Builder,
        clock: Clock,
        *,
        parallel: int = PARALLEL,
        timeout: float = TIMEOUT,
        quota: int = QUOTA,
        said: Said = _ignore,
    ) -> None:
        self._registry = registry
        self._builder = builder
        self._clock = clock
        self._slots = asyncio.Semaphore(parallel)
        self._timeout = timeout
        self._quota = quota
        self._said = said
        self._running: dict[Reference, _Running] = {}
        self._tasks: set[asyncio.Task[Built]] = set()  # also those that were cancelled and are about to end
        self._wants: dict[Hashable, Reference] = {}
        self._bases: dict[Reference, tuple[float, asyncio.Future[str]]] = {}
        self._known: dict[Reference, str] = {}

    @property
    def running(self) -> tuple[Reference, ...]:
        """What is being built now, or waits for its turn."""
        return tuple(self._running)

    async def target(self, repository: Repository, inputs: Inputs) -> Reference:
        """Where the image of `inputs` is, or would be. Raises what the bases' registries answer."""
        bases = await self._pinned(inputs)
        return repository.at(tag=inputs.tag({name: base.digest for name, base in bases.items()}))

    async def ensure(self, owner: Hashable, repository: Repository, inputs: Inputs, blobs: Blobs) -> Built:
        """The image of `inputs` in `repository`, built where the registry does not have it.

        Raises ImageError: BuildFailed, or what the registries answer. Cancelled with `BuildFailed` when `owner` asks
        for something else meanwhile.
        """
        bases = await self._pinned(inputs)
        target = repository.at(tag=inputs.tag({name: base.digest for name, base in bases.items()}))
        self._supersede(owner, target)
        if target in self._known:
            return self._found(target, self._known[target])
        running = self._running.get(target)
        if running is None:
            work = Work(target, inputs, bases, self._timeout, self._quota)
            running = self._running[target] = _Running(asyncio.create_task(self._make(work, blobs)))
            self._tasks.add(running.task)
            running.task.add_done_callback(lambda task: self._ended(target, task))
        running.owners.add(owner)
        self._wants[owner] = target
        try:
            return await asyncio.shield(running.task)
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if waiting is None or not waiting.cancelling():
                raise BuildFailed("a newer commit asks for something else", where=str(target)) from None
            self._leave(owner, target)
            raise
        finally:
            if self._wants.get(owner) == target:
                del self._wants[owner]

    def forget(self, target: Reference) -> None:
        """Ask the registry again next time: what it was known to have has vanished."""
        self._known.pop(Reference(target.repository, target.tag), None)

    async def close(self) -> None:
        """The daemon ends: end all builds that cannot go on without it."""
        for task in self._tasks:
            task.cancel(LEFT)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _supersede(self, owner: Hashable, target: Reference) -> None:
        before = self._wants.get(owner)
        if before is not None and before != target:
            self._leave(owner, before)

    def _leave(self, owner: Hashable, target: Reference) -> None:
        """`owner` no longer waits for `target`; nobody does, then it ends."""
        running = self._running.get(target)
        if running is not None:
            running.owners.discard(owner)
            if not running.owners:
                del self._running[target]  # who asks for it again meanwhile gets a new one
                running.task.cancel()

    def _ended(self, target: Reference, task: asyncio.Task[Built]) -> None:
        self._tasks.discard(task)
        running = self._running.get(target)
        if running is not None and running.task is task:
            del self._running[target]

    async def _make(self, work: Work, blobs: Blobs) -> Built:
        begun = self._clock.monotonic()
        if digest := await self._registry.has(work.target):  # who need not be built does not wait for those who must
            return self._found(work.target, digest)
        async with self._slots:
            digest = await self._builder.build(work, blobs, self._log(work.target))
        self._known[work.target] = digest
        seconds = self._clock.monotonic() - begun
        repository = str(work.target.repository)
        return Built(repository, work.target.tag, digest, built=True, finished=self._clock.now(), seconds=seconds)

    def _log(self, target: Reference) -> Log:
        return lambda line: self._said(target, line)

    def _found(self, target: Reference, digest: str) -> Built:
        self._known[target] = digest
        return Built(str(target.repository), target.tag, digest, built=False, finished=self._clock.now())

    async def _pinned(self, inputs: Inputs) -> Mapping[str, Reference]:
        """The bases with their digests, by how the Containerfile writes them."""
        return {base.written: await self._pin(base.reference) for base in inputs.bases}

    async def _pin(self, reference: Reference) -> Reference:
        if reference.digest:
            return reference
        now = self._clock.monotonic()
        known = self._bases.get(reference)
        if known is None or now - known[0] > BASE_LIFE or _failed(known[1]):
            known = (now, asyncio.ensure_future(self._digest(reference)))
            self._bases[reference] = known
        return reference.pinned(await asyncio.shield(known[1]))

    async def _digest(self, reference: Reference) -> str:
        return (await self._registry.head(reference)).digest


def _failed(future: asyncio.Future[str]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)
