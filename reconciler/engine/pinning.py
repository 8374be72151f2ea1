"""Which digest each Image of a source has, before its workloads are rendered; and what is done about newer ones.

    of      in every pass: what is known is used. Nobody waits for a registry or a build: who names an Image of which
            nothing is known yet stays as it is, and the source is asked for another pass when there is an answer
    look    now and then, beside the passes: what is followed is asked of the registries, what was found is written
            back to Git, what failed is asked for again

A source that states no Image costs nothing.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final, NamedTuple, Protocol

from reconciler.clock import Clock
from reconciler.engine.image_documents import known, stated_images
from reconciler.engine.image_telling import ImageTeller, failure
from reconciler.engine.images import Known, Running, Trees
from reconciler.errors import ImageError, ImageMissing, ReconcilerError
from reconciler.images.inputs import Tree
from reconciler.images.lock import key_of
from reconciler.images.pins import Pinner
from reconciler.images.reference import Reference
from reconciler.images.resolve import Schedule
from reconciler.images.stated import Commit, Origin, Pin, Pins, Stated, kept, may_mean, recovered
from reconciler.images.writeback import Branches, Change, Outcome, message, write
from reconciler.kube.names import Identity
from reconciler.model.config import SourceConfig
from reconciler.model.event import EventType, Sink
from reconciler.model.image import LOCK_FILE, TreeFile
from reconciler.model.imaging import ImagesConfig, WriteBack
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs

PATIENCE: Final = 0.1  # seconds that a pass gives those who have the answer at hand
_SOON: Final = 1.0  # seconds from a new digest to its way to Git: several come together
_FIRST_RETRY: Final = 30.0  # seconds; doubles

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Counts. `counts` are by state: pinned, awaited, held."""

    def images(self, source: str, counts: Mapping[str, int]) -> None: ...

    def looked(self, source: str, *, ok: bool) -> None: ...


async def _never() -> bool:
    return False


class _Latest(NamedTuple):
    stated: Sequence[Stated]
    commit: Commit
    pins: Pins

    @property
    def wrong(self) -> bool:
        """Whether something failed that may be well the next time."""
        return any(failure(pin) is not None for pin in self.pins.values())


class SourceImages:
    """Those of the source of `config`. `branches` is for what is written back, None where nothing is.

    `running` gives the references that the source's workloads run. It is asked once, at the first pass: a registry
    that does not answer then does not keep from them what they have.
    """

    def __init__(
        self,
        config: SourceConfig,
        settings: ImagesConfig,
        trees: Trees,
        pinner: Pinner,
        *,
        clock: Clock,
        random: Random,
        emit: Sink,
        observer: Observer,
        running: Running,
        branches: Branches | None = None,
    ) -> None:
        self._wake: Callable[[], None] = lambda: None
        self._suspended: Callable[[], Awaitable[bool]] = _never
        self._config = config
        self._settings = settings
        self._trees = trees
        self._pinner = pinner
        self._clock = clock
        self._random = random
        self._observer = observer
        self._running = running
        self._found_running: Collection[Reference] | None = None
        self._good: dict[Identity, Reference] = {}
        self._branches = branches
        self._tell = ImageTeller(config.name, clock, emit)
        self._latest: _Latest | None = None
        self._listed: tuple[str, Tree] | None = None  # a commit's whole tree
        self._found = asyncio.Event()  # something that is not in a lock file
        self._looking: asyncio.Task[None] | None = None

    def join(self, wake: Callable[[], None], suspended: Callable[[], Awaitable[bool]]) -> None:
        """As Images says."""
        self._wake, self._suspended = wake, suspended

    def wake(self) -> None:
        """There is an answer that some pass did not wait for."""
        self._wake()

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        """As Images says."""
        stated = stated_images(specs, self._settings.tags)
        self._tell.revision = snapshot.revision.commit
        if not stated:
            await self._nothing()
            return Known()
        commit = Commit(self._config.name, await self._tree(snapshot, stated), self._trees)
        pins = await self._pinner.settle(stated, commit, {}, patience=PATIENCE)
        if unknown := [one for one in stated if isinstance(pins[one.identity], ImageError)]:
            pins = kept(unknown, pins, await self._in_use(unknown))
        good = {i: pin.reference for i, pin in pins.items() if isinstance(pin, Pin)}
        self._good = {**{i: reference for i, reference in self._good.items() if i in pins}, **good}
        before = self._latest.pins if self._latest else {}
        self._latest = _Latest(stated, commit, pins)
        self._tell.settled(before, pins)
        self._observer.images(self._config.name, Counter(_state(pin) for pin in pins.values()))
        if self._branches is not None and any(_to_write(pin) and pin != before.get(i) for i, pin in pins.items()):
            self._found.set()
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        return known(specs, pins)

    async def close(self) -> None:
        """End what still runs; builds end with the Pinner."""
        self._wake = lambda: None
        await self._stop()

    async def _stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None

    async def _in_use(self, stated: Sequence[Stated]) -> Mapping[Identity, Reference]:
        """What Images meant until now, where that is still one of the things that they may mean."""
        if self._found_running is None:
            self._found_running = await self._running()
        found = dict(recovered(stated, self._found_running))
        for one in stated:
            good = self._good.get(one.identity)
            if good is not None and may_mean(one, good):
                found[one.identity] = good
        return found

    async def _nothing(self) -> None:
        """No Image is stated any more."""
        if self._latest is not None:
            await self._stop()
            await self._pinner.settle((), self._latest.commit, {})
            self._tell.settled(self._latest.pins, {})
            self._observer.images(self._config.name, {})
            self._latest = None

    async def _tree(self, snapshot: Snapshot, stated: Sequence[Stated]) -> Tree:
        """Of the commit what matters: everything for builds, else lock files only."""
        if any(one.build for one in stated):
            commit = snapshot.revision.commit
            if self._listed is None or self._listed[0] != commit:
                self._listed = commit, Tree(await self._trees.tree(commit))
            return self._listed[1]
        self._listed = None
        files = (entry for entry in snapshot.entries if entry.path.endswith(LOCK_FILE))
        return Tree(TreeFile(entry.path, "100644", entry.blob, entry.size) for entry in files)

    # -- beside the passes --------------------------------------------------------------------------------------------

    async def _look_on(self) -> None:
        schedule = Schedule(self._settings.interval, self._random)
        due = self._clock.monotonic() + schedule.after(failed=False)
        tries = 0
        while True:
            tries = tries + 1 if self._latest is not None and self._latest.wrong else 0
            retry = _FIRST_RETRY * 2.0 ** min(tries - 1, 10) if tries else float("inf")
            await self._pause(min(retry, max(0.0, due - self._clock.monotonic())))
            if self._found.is_set() or self._clock.monotonic() >= due:
                due = self._clock.monotonic() + schedule.after(failed=not await self._look())
            elif tries:
                self._wake()

    async def _pause(self, seconds: float) -> None:
        """For so long, or until something is found that is to be written back."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._found.wait()
            await self._clock.sleep(_SOON)

    async def _look(self) -> bool:
        """Look once; whether everything could be told and written."""
        self._found.clear()
        latest = self._latest
        if latest is None or await self._suspended():
            return True
        try:
            changes, failed = await self._pinner.scan(latest.stated, latest.commit, latest.pins)
        except ReconcilerError as error:
            self._tell.wrong(None, LOCK_FILE, error)
            return False
        except Exception:
            logger.exception("the look at the images of source %s failed; it is tried again", self._config.name)
            return False
        self._tell.looked([one.identity for one in latest.stated], failed)
        self._observer.looked(self._config.name, ok=not failed)
        if latest.wrong or _news(latest, changes, failed):
            self._wake()
        return await self._write(changes) and not failed

    async def _write(self, changes: Sequence[Change]) -> bool:
        if not changes or self._branches is None:
            return True
        stated = self._settings.write_back
        review = stated.branch if stated.mode is WriteBack.REVIEW else ""
        try:
            written = await write(changes, self._branches, branch=self._config.ref, review=review)
        except ReconcilerError as error:
            self._tell.wrong(None, LOCK_FILE, error)
            return False
        except Exception:
            logger.exception("digests of source %s could not be written back; it is tried again", self._config.name)
            return False
        self._tell.well(None, LOCK_FILE, "digests are written back again")
        if written.commit:
            ours = [change for change, outcome in written.outcomes if outcome is Outcome.WRITTEN]
            place = f"branch {review}" if review else self._config.ref
            self._tell.say(EventType.LOCKED, f"{message(ours).partition(chr(10))[0]}; {written.commit[:12]} on {place}")
        return True


def _state(pin: Pin | ImageError) -> str:
    if failure(pin) is not None:
        return "held"
    return "pinned" if isinstance(pin, Pin) else "awaited"


def _to_write(pin: Pin | ImageError) -> bool:
    return isinstance(pin, Pin) and pin.origin in (Origin.BUILD, Origin.REGISTRY)


def _news(latest: _Latest, changes: Sequence[Change], failed: Mapping[Identity, ImageError]) -> bool:
    """Whether a pass would now find something else than the last one."""
    pins = {key_of(one.identity): latest.pins.get(one.identity) for one in latest.stated}
    for change in changes:
        pin = pins.get(change.key)
        if isinstance(pin, Pin) and pin.origin is not Origin.LOCK and pin.reference != change.after.reference:
            return True
    built = {one.identity for one in latest.stated if one.build is not None}
    return any(identity in built and isinstance(error, ImageMissing) for identity, error in failed.items())
