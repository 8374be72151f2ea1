"""Keeps a cache equal to one kind's objects: list once, then watch, whatever the server or the network does."""

import asyncio
import logging
from collections.abc import Mapping
from random import Random
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from reconciler.clock import Clock
from reconciler.cluster.api import Api, decode, object_path
from reconciler.cluster.events import Event, follow
from reconciler.cluster.paging import Item, ItemMeta, read_pages
from reconciler.errors import ApiError, Gone, NotFound, ReconcilerError, TransportError
from reconciler.kube.names import GroupKind, Identity
from reconciler.kube.resources import Resource

FIRST_PAUSE: Final = 0.5  # seconds; doubles with each attempt that comes to nothing
LONGEST_PAUSE: Final = 60.0
WATCH_SECONDS: Final = (300, 600)  # the server ends a watch after a time between these, chosen at random
HELD: Final = 5.0  # seconds that a watch must have lasted for its end to be no failure
PATIENCE: Final = 4  # attempts before whoever waits for the first list is told

E = TypeVar("E")

logger = logging.getLogger(__name__)


class Store(Protocol[E]):
    """What a reflector keeps equal to the server. It holds each object as whatever `read` makes of it.

    `put`, `remove` and `replace` leave what is later than `version` as it is: reflectors, and our own writes, may tell
    of the same object.
    """

    def at(self, identity: Identity, version: str) -> E | None:
        """The object, if it is here in exactly this state."""
        ...

    def read(self, identity: Identity, data: msgspec.Raw, meta: ItemMeta, api_version: str) -> E:
        """`data`, an object's JSON, in the form in which it is held. Never raises."""
        ...

    def put(self, identity: Identity, packed: E) -> None: ...

    def remove(self, identity: Identity, version: str = "") -> None: ...

    def replace(self, kind: GroupKind, namespace: str, items: Mapping[Identity, E], version: str) -> None: ...


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str


class _Bookmark(msgspec.Struct):
    metadata: _Version


class Reflector(Generic[E]):
    """Objects of one kind, in one namespace or ("") in all, that match a label selector.

    `error` is why the last attempt came to nothing, None while all is well. `listed` says that the cache has had a
    whole list; `settled` is set then too, or once it is clear that it will not come soon.
    """

    def __init__(
        self,
        api: Api,
        cache: Store[E],
        resource: Resource,
        namespace: str,
        selector: str,
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.error: ReconcilerError | None = None
        self.listed = False
        self.settled = asyncio.Event()
        self.read_at = 0.0  # when everything was listed last, on the monotonic clock
        self._api = api
        self._cache = cache
        self._selector = selector
        self._clock = clock
        self._random = random
        self._path = object_path(resource.api_version, resource.plural, namespace)
        self._subject = f"{resource.kind} in {namespace}" if namespace else resource.kind
        self._version = ""  # of the state that the cache has; "" when it has to be listed
        self._moved = False  # whether the present attempt brought the cache forward

    @property
    def followed(self) -> bool:
        """Whether the cache has all of it at present."""
        return self.listed and self.error is None

    async def run(self) -> None:
        """Follow the objects until cancelled, or until the API server does not serve the kind (NotFound in `error`).

        Nothing else ends it, and it is never in a hurry: an attempt that comes to nothing is followed by a pause.
        """
        failures = 0
        while True:
            began = self._clock.monotonic()
            self._moved = False
            error = await self._attempt()
            if isinstance(error, NotFound):
                self.error = error
                self.settled.set()
                return
            if isinstance(error, Gone):  # the state is too old to watch from
                self._version, error = "", None
            if self._moved or self._clock.monotonic() - began >= HELD:
                failures = 0
                if error is None:
                    continue
            failures += 1
            self.error = error
            if failures >= PATIENCE or (isinstance(error, ApiError) and 400 <= error.status < 429):
                self.settled.set()
            await self._clock.sleep(self._pause(failures, error))

    def _pause(self, failures: int, error: ReconcilerError | None) -> float:
        backoff = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10)) * self._random.uniform(0.5, 1.0)
        asked = error.retry_after if isinstance(error, ApiError) else None
        return max(backoff, asked or 0.0)

    async def _attempt(self) -> ReconcilerError | None:
        """List where that is due, then watch until the watch ends; why it ended badly, None where it ended well."""
        try:
            if not self._version:
                await self._list()
            await self._watch()
        except ReconcilerError as error:
            return error
        except Exception as error:
            logger.exception("watching %s failed", self._subject)
            return TransportError("the watch failed", where=self._subject, why=type(error).__name__)
        return None

    async def reread(self) -> None:
        """List again, past the watch, which goes on: what it has missed comes to light. Raises ReconcilerError."""
        if self.listed:
            await self._read()

    async def _read(self) -> str:
        items, version = await read_pages(
            self._api, self._path, self._query(), self._packed, subject=f"list of {self._subject}"
        )
        found = {identity: state for identity, _, state in filter(None, items)}
        self._cache.replace(self.resource.group_kind, self.namespace, found, version)
        self.read_at = self._clock.monotonic()
        return version

    async def _list(self) -> None:
        self._version = await self._read()
        self.error = None
        self.listed = True
        self.settled.set()

    async def _watch(self) -> None:
        await follow(
            self._api,
            self._path,
            self._query(),
            self._take,
            version=self._version,
            seconds=self._random.randint(*WATCH_SECONDS),
            subject=f"watch of {self._subject}",
            opened=self._opened,
        )

    def _opened(self) -> None:
        self.error = None

    def _take(self, event: Event) -> None:
        if event.type == "BOOKMARK":
            self._move(decode(event.object, _Bookmark).metadata.resource_version)
        elif packed := self._packed(event.object):
            identity, version, state = packed
            if event.type == "DELETED":
                self._cache.remove(identity, version)
            else:
                self._cache.put(identity, state)
            self._move(version)

    def _move(self, version: str) -> None:
        if version and version != self._version:
            self._version = version
            self._moved = True

    def _query(self) -> tuple[tuple[str, str], ...]:
        return (("labelSelector", self._selector),) if self._selector else ()

    def _packed(self, data: msgspec.Raw) -> tuple[Identity, str, E] | None:
        """One object; None for one that is none, which must not keep the others from being seen."""
        try:
            meta: ItemMeta = msgspec.json.decode(data, type=Item).metadata
        except msgspec.ValidationError as error:
            logger.warning("an object of %s is skipped: %s", self._subject, error)
            return None
        identity = Identity(self.resource.group, self.resource.kind, meta.namespace, meta.name)
        known = self._cache.at(identity, meta.resource_version)  # our own write, or a list of what we have
        state = self._cache.read(identity, data, meta, self.resource.api_version) if known is None else known
        return identity, meta.resource_version, state
