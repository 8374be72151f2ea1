"""Carrying out a pass's changes: with all the parallelism that the graph allows, and no barriers.

A change starts when everything it waits for is applied (or ready, where a spec says dependsOn). One that fails blocks
its dependents and nobody else. When a newer commit supersedes the pass, writes in flight end and nothing new starts.
Deletions come after the changes; where a change of the same namespace failed they wait for a later pass, because the
object that was to replace a deleted one may be the one that failed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TypeVar

from reconciler.cluster.cluster import Cluster
from reconciler.engine.graph import beside, cycles, rank, stated, waits
from reconciler.engine.perform import perform
from reconciler.engine.readiness import Readiness, is_there, ready, usable
from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.change import UNDONE, WRITES, Action, Change, Live
from reconciler.model.health import Health
from reconciler.model.manifest import Manifest, Owner
from reconciler.model.result import ObjectResult, Outcome

T = TypeVar("T")

_BREATH = 100  # changes that start before others have their turn

logger = logging.getLogger(__name__)


class _Blocked(Exception):
    """What a change waits for will not come."""


class _Superseded(Exception):
    """A newer commit came first."""


class Execution:
    """One pass's changes on their way to the cluster. Made for one `run`.

    `finished` is told each result as it comes; `forced` says of a change whether it takes fields from other managers;
    `superseded` is set from outside when a newer commit came; `wait_timeout` is in seconds, for one dependency.
    `failed` are objects whose refusal counts as a failure; `written` is told each object as the server answered it.
    `again` decides anew about what could not be looked at before (UNCONFIRMED), once what it waited for is there.
    """

    def __init__(
        self,
        cluster: Cluster,
        manifests: Mapping[Identity, Manifest],
        owner: Owner,
        *,
        concurrency: int,
        wait_timeout: float,
        superseded: asyncio.Event,
        finished: Callable[[ObjectResult], None],
        forced: Callable[[Change], bool],
        written: Callable[[Manifest, Live], None],
        again: Callable[[Change], Awaitable[Change]],
        failed: Collection[Identity] = (),
    ) -> None:
        self._cluster = cluster
        self._manifests = manifests
        self._owner = owner
        self._wait_timeout = wait_timeout
        self._superseded = superseded
        self._finished = finished
        self._forced = forced
        self._written = written
        self._again = again
        self._failed = failed
        self._slots = asyncio.Semaphore(concurrency)
        self._pending: dict[Identity, asyncio.Future[ObjectResult]] = {}
        self._results: dict[Identity, ObjectResult] = {}
        self._readiness = Readiness(cluster.cache)

    async def run(self, changes: Iterable[Change]) -> dict[Identity, ObjectResult]:
        """Carry out `changes`; a result for each."""
        writes: list[Change] = []
        prunes: list[Change] = []
        for change in changes:
            if change.action in WRITES:
                writes.append(change)
            elif change.action is Action.PRUNE:
                prunes.append(change)
            else:
                held = change.action in UNDONE
                failed = change.identity in self._failed
                outcome = Outcome.FAILED if failed else Outcome.HELD if held else Outcome.DONE
                self._finish(change, outcome, change.reason)
        with self._readiness:
            await self._write(writes)
        await self._prune(prunes)
        return self._results

    async def _write(self, changes: list[Change]) -> None:
        loop = asyncio.get_running_loop()
        self._pending = {change.identity: loop.create_future() for change in changes}
        pending = {change.identity: waits(change, self._manifests) & self._pending.keys() for change in changes}
        looped = {identity: names for names in cycles(pending) for identity in names}
        async with asyncio.TaskGroup() as tasks:
            ordered = sorted(changes, key=lambda c: (rank(c.identity), c.identity))
            for number, change in enumerate(ordered):
                if number % _BREATH == _BREATH - 1:
                    await asyncio.sleep(0)
                if names := looped.get(change.identity):
                    self._finish(change, Outcome.FAILED, "these wait for each other: " + " → ".join(map(str, names)))
                else:
                    tasks.create_task(self._write_one(change))

    async def _write_one(self, change: Change) -> None:
        manifest = stated(change, self._manifests)
        try:
            for other in manifest.depends_on:
                await self._wait_for(other, explicit=False)
            for other in manifest.after:
                await self._wait_for(other, explicit=True)
            unready = [other.name for other in change.once if not await self._is_ready(other)]
        except _Blocked as blocked:
            self._finish(change, Outcome.BLOCKED, str(blocked))
        except _Superseded:
            self._finish(change, Outcome.SUPERSEDED, "a newer commit came first")
        else:
            if unready:
                message = f"waits until these are ready: {', '.join(unready)}"
                self._finish(replace(change, action=Action.KEEP), Outcome.DONE, message)
            else:
                await self._perform(change)

    async def _wait_for(self, other: Identity, *, explicit: bool) -> None:
        """Wait for one dependency. One that no source states is left to Kubernetes, whose pods wait by themselves."""
        if other not in self._manifests:
            return
        await self._made(other)
        condition = ready if explicit else usable
        if (not explicit and is_there(self._cluster.cache, other)) or self._readiness.met(other, condition):
            return
        try:
            async with asyncio.timeout(self._wait_timeout):
                health = await self._unless_superseded(self._readiness.wait(other, condition))
        except TimeoutError:
            health = condition(self._cluster.cache.get(other))
            raise _Blocked(f"{other} was not ready after {self._wait_timeout:.0f} s: {health.message}") from None
        if not health.ready:
            raise _Blocked(f"{other} is {health.status}: {health.message}")

    async def _is_ready(self, other: Identity) -> bool:
        """Whether it is ready once it is made as Git states it. Nobody waits for more."""
        await self._made(other)
        return self._readiness.met(other, ready)

    async def _made(self, other: Identity) -> None:
        """Wait until this pass has done what is to be done to it. Raises _Blocked where that failed."""
        if (pending := self._pending.get(other)) is not None and not pending.done():
            await self._unless_superseded(asyncio.shield(pending))
        result = self._results.get(other)
        if result is not None and result.outcome is not Outcome.DONE:
            raise _Blocked(f"{other} {result.outcome}: {result.message}")

    async def _unless_superseded(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        newer = asyncio.ensure_future(self._superseded.wait())
        try:
            await asyncio.wait((task, newer), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise _Superseded
        finally:
            task.cancel()
            newer.cancel()

    async def _perform(self, change: Change) -> None:
        # A replacement waits for finalizers: that takes no slot from the others, and a newer commit ends it.
        async with nullcontext() if change.action is Action.REPLACE else self._slots:
            if self._superseded.is_set():
                self._finish(change, Outcome.SUPERSEDED, "a newer commit came first")
                return
            try:
                if change.action is Action.UNCONFIRMED:
                    change = await self._again(change)
                    if change.action not in WRITES:
                        held = change.action in UNDONE
                        self._finish(change, Outcome.HELD if held else Outcome.DONE, change.reason)
                        return
                writing = perform(self._cluster, change, owner=self._owner, forced=self._forced(change))
                live = await (self._unless_superseded(writing) if change.action is Action.REPLACE else writing)
            except _Superseded:
                self._finish(change, Outcome.SUPERSEDED, "a newer commit came first")
            except ReconcilerError as error:
                self._finish(change, Outcome.FAILED, str(error), hint=error.hint)
            except Exception as error:  # a fault of ours in one object must not stop the others
                logger.exception("%s of %s failed", change.action, change.identity)
                self._finish(change, Outcome.FAILED, f"a fault of reconciler itself: {type(error).__name__}")
            else:
                if live is not None and change.manifest is not None:
                    self._written(change.manifest, live)
                if change.action is Action.UNCONFIRMED:  # what it needed has come meanwhile
                    change = replace(change, action=Action.CREATE, reason="new in Git")
                self._finish(change, Outcome.DONE, change.reason, health=ready(live) if live else None)

    async def _prune(self, changes: list[Change]) -> None:
        unsure = {
            identity.namespace
            for identity, result in self._results.items()
            if result.outcome in (Outcome.FAILED, Outcome.BLOCKED, Outcome.SUPERSEDED)
        }
        now: list[Change] = []
        for change in changes:
            if reason := beside(change, unsure):
                self._finish(change, Outcome.BLOCKED, reason)
            else:
                now.append(change)
        # What others depend on goes last. Kinds of one rank go side by side.
        for step in sorted({rank(change.identity) for change in now}, reverse=True):
            async with asyncio.TaskGroup() as tasks:
                for change in now:
                    if rank(change.identity) == step:
                        tasks.create_task(self._perform(change))

    def _finish(
        self, change: Change, outcome: Outcome, message: str, *, health: Health | None = None, hint: str = ""
    ) -> None:
        result = ObjectResult(change.identity, change.action, outcome, message, health, change, hint or change.hint)
        self._results[change.identity] = result
        pending = self._pending.get(change.identity)
        if pending is not None and not pending.done():
            pending.set_result(result)
        self._finished(result)
