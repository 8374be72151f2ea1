"""What every controller is: caches it reads, a queue of keys, and `reconcile`, which sets one key right."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from reconciler.clock import Clock
from reconciler.errors import ApiError, ReconcilerError
from reconciler.kube.times import stamp
from reconciler.sandbox.client import Client, Key, Object, Resource, key_of
from reconciler.sandbox.controllers.claim import claim
from reconciler.sandbox.controllers.events import Recorder
from reconciler.sandbox.controllers.owners import OWNER_INDEX, controller_of, controller_uid, orphans
from reconciler.sandbox.controllers.queue import Timers, WorkQueue
from reconciler.sandbox.informer import Informer
from reconciler.sandbox.informers import Informers

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What a controller is given: how to write, what is known, what time it is."""

    client: Client
    informers: Informers
    recorder: Recorder
    timers: Timers
    clock: Clock
    random: Random


class Controller(ABC):
    """One control loop. `__init__` subscribes to informers; `run` works the queue until it is cancelled."""

    name: ClassVar[str]
    workers: ClassVar[int] = 4

    def __init__(self, context: Context) -> None:
        self.client = context.client
        self.informers = context.informers
        self.clock = context.clock
        self.random = context.random
        self.timers = context.timers
        self.queue: WorkQueue[Key] = WorkQueue(context.timers, context.random, context.clock)
        self._recorder = context.recorder

    @abstractmethod
    async def reconcile(self, key: Key) -> None:
        """Bring the object `key` where it should be. An error puts the key back with a growing pause."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self.workers):
                group.create_task(self._work(), name=self.name)

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self.reconcile(key)
            except ReconcilerError as error:
                expected = isinstance(error, ApiError) and error.status in (404, 409)
                _log.log(logging.DEBUG if expected else logging.INFO, "%s %s: %s", self.name, key, error)
                self.queue.failed(key)
            except Exception:  # noqa: BLE001  # a bug or an odd object must not end the loop for all the others
                _log.exception("%s %s", self.name, key)
                self.queue.failed(key)
            else:
                self.queue.done(key)
            await asyncio.sleep(0)  # a transport without a socket never waits: let the others have their turn

    def now(self) -> str:
        """The time as the API writes it."""
        return stamp(self.clock.now())

    def normal(self, resource: Resource, obj: Mapping[str, Any], reason: str, message: str) -> None:
        self._recorder.normal(resource, obj, reason, message, source=self.name)

    def warning(self, resource: Resource, obj: Mapping[str, Any], reason: str, message: str) -> None:
        self._recorder.warning(resource, obj, reason, message, source=self.name)

    def follow(self, resource: Resource, keys: Callable[[Object], Key | None] = key_of) -> Informer:
        """Reconcile what `keys` names whenever an object of `resource` changes; by default the object itself."""
        informer = self.informers.of(resource)

        def changed(old: Object | None, new: Object | None) -> None:
            for obj in (old, new):
                if obj is not None and (key := keys(obj)) is not None:
                    self.queue.add_soon(key)

        informer.subscribe(changed)
        return informer

    def follow_owned(self, resource: Resource, owner: Resource) -> Informer:
        """Reconcile the controller, of kind `owner`, of every object of `resource` that changes.

        An orphan concerns every possible owner in its namespace: one of them may adopt it.
        """
        informer = self.informers.of(resource)
        informer.add_index(OWNER_INDEX, controller_uid)
        owners = self.informers.of(owner)

        def changed(old: Object | None, new: Object | None) -> None:
            for obj in (old, new):
                if obj is None:
                    continue
                if (key := owner_key(obj, owner)) is not None:
                    self.queue.add_soon(key)
                elif obj is new and controller_of(obj) is None:
                    for candidate in owners.namespace(obj["metadata"].get("namespace", "")):
                        if _may_own(candidate, obj):
                            self.queue.add_soon(key_of(candidate))

        informer.subscribe(changed)
        return informer

    async def owned(self, informer: Informer, kind: Resource, owner: Object) -> list[Object]:
        """The objects in `informer` that `owner`, of kind `kind`, controls, oldest first.

        Orphans that its selector matches are adopted, and what no longer matches is released.
        """
        found = informer.by(OWNER_INDEX, owner["metadata"]["uid"])
        found += informer.by(OWNER_INDEX, orphans(owner["metadata"]["namespace"]))
        claimed = await claim(self.client, informer.resource, found, kind, owner)
        return sorted(claimed, key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]))

    async def set_status(self, resource: Resource, obj: Object, status: Object) -> Object:
        """Replace the status of `obj`, if it differs. Returns `obj` as stored."""
        if same(status, obj.get("status") or {}):
            return obj
        return await self.client.update(resource, {**obj, "status": status}, "status")


def owner_key(obj: Object, owner: Resource) -> Key | None:
    """Where the managing controller of `obj` lives, if it is of kind `owner`."""
    reference = controller_of(obj)
    if reference is None or reference["kind"] != owner.kind or reference["apiVersion"] != owner.api_version:
        return None
    return Key(obj["metadata"].get("namespace", ""), reference["name"])


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values say the same, where null, an empty collection and an absent field are alike."""
    return bool(bare(a) == bare(b))


def bare(value: Any) -> Any:
    """`value` without the fields that say nothing: null, empty lists and objects."""
    if isinstance(value, dict):
        return {key: kept for key, entry in value.items() if (kept := bare(entry)) not in (None, [], {})}
    if isinstance(value, list):
        return [bare(entry) for entry in value]
    return value


def _may_own(owner: Object, obj: Object) -> bool:
    """A quick look at `matchLabels` only; `claim` decides."""
    wanted = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
    labels = obj["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in wanted.items())
