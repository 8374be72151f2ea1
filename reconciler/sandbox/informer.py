"""A list-and-watch cache of one kind over a Transport, shared by everybody who reads that kind.

Cached objects are shared and must never be changed: writers build new ones. A write's answer goes into the cache at
once (`observe`, `forget`), so a controller that reads the cache sees its own writes; the watch then brings nothing new.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

import msgspec

from reconciler.clock import Clock
from reconciler.errors import ApiError, ReconcilerError, TransportError
from reconciler.http.transport import Request, Transport
from reconciler.kube.media import METADATA_LIST
from reconciler.sandbox.client import Key, Object, Resource, answer, key_of

_log = logging.getLogger(__name__)

PAGE: Final = 500
METADATA_WATCH: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

_COLLECTED: Final = (
    "namespace",
    "name",
    "uid",
    "resourceVersion",
    "ownerReferences",
    "finalizers",
    "deletionTimestamp",
)

Handler = Callable[[Object | None, Object | None], None]
Index = Callable[[Object], Iterable[str]]


class _Event(msgspec.Struct):
    type: str
    object: dict[str, Any]


_event = msgspec.json.Decoder(_Event)


class _Relist(Exception):
    """The server no longer has the changes since our resourceVersion."""


def whole(obj: Object) -> Object:
    """Keep everything but managedFields, which no controller reads and which are half of the bytes."""
    obj["metadata"].pop("managedFields", None)
    return obj


def metadata_only(obj: Object) -> Object:
    """Keep what garbage collection reads."""
    metadata = obj["metadata"]
    return {"metadata": {field: metadata[field] for field in _COLLECTED if field in metadata}}


def keys_only(obj: Object) -> Object:
    """Of a ConfigMap or Secret keep the metadata and which keys it has, and no value."""
    names = dict.fromkeys((*(obj.get("data") or ()), *(obj.get("binaryData") or ())), "")
    return {**metadata_only(obj), "data": names}


class Informer:
    """The objects of one kind, in every namespace. Iterate it, or look up by key, namespace or a named index."""

    def __init__(
        self,
        resource: Resource,
        transport: Transport,
        *,
        clock: Clock,
        random: Random,
        trim: Callable[[Object], Object] = whole,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self._transport = transport
        self._clock = clock
        self._random = random
        self._trim = trim
        self._partial = trim is metadata_only
        self._objects: dict[Key, Object] = {}
        self._gone: set[str] = set()
        self._handlers: list[Handler] = []
        self._indexes: dict[str, tuple[Index, dict[str, dict[Key, Object]]]] = {}
        self._version = ""
        self.add_index("namespace", lambda obj: (obj["metadata"].get("namespace", ""),))

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key)

    def all(self) -> list[Object]:
        return list(self._objects.values())

    def namespace(self, namespace: str) -> list[Object]:
        return self.by("namespace", namespace)

    def add_index(self, name: str, index: Index) -> None:
        """Find objects by the values that `index` gives for each. Adding an index that exists changes nothing."""
        if name in self._indexes:
            return
        table: dict[str, dict[Key, Object]] = {}
        self._indexes[name] = (index, table)
        for key, obj in self._objects.items():
            for value in index(obj):
                table.setdefault(value, {})[key] = obj

    def by(self, name: str, value: str) -> list[Object]:
        """The objects with `value` in the index `name`."""
        return list(self._indexes[name][1].get(value, {}).values())

    def subscribe(self, handler: Handler) -> None:
        """Call `handler(old, new)` on every change, and now once for each object that is known already.

        `old` is None for a new object and `new` for one that is gone. Handlers must not raise or wait.
        """
        self._handlers.append(handler)
        for obj in self.all():
            handler(None, obj)

    def observe(self, obj: Object) -> None:
        """Take in `obj` as the server returned it, unless a newer one is known."""
        self._put(self._trim(obj))

    def forget(self, key: Key, uid: str) -> None:
        """A delete removed the object: whatever the watch still brings of it is old."""
        known = self._objects.get(key)
        if known is not None and known["metadata"]["uid"] == uid:
            self._gone.add(uid)
            self._drop(key)

    async def run(self) -> None:
        """List, then watch, for ever: again from the start when the server has forgotten, with growing pauses."""
        failures = 0
        while True:
            try:
                await self._list()
                while True:
                    started = self._clock.monotonic()
                    seen = await self._watch()
                    failures = 0
                    if not seen and self._clock.monotonic() - started < 1.0:
                        await self._clock.sleep(0.5 + self._random.random())  # a server that hangs up at once
            except _Relist:
                continue
            except ReconcilerError as error:
                failures += 1
                if isinstance(error, ApiError) and error.status == 404:
                    self._replace({}, "")  # the server does not have this kind (yet)
                pause = min(30.0, 0.5 * 2 ** min(failures, 8)) * (0.5 + self._random.random())
                _log.debug("watching %s: %s; again in %.1f s", self.resource.plural, error, pause)
                await self._clock.sleep(pause)

    async def _list(self) -> None:
        found: dict[Key, Object] = {}
        following = ""
        while True:
            query = [("limit", str(PAGE))]
            if following:
                query.append(("continue", following))
            accept = METADATA_LIST if self._partial else "application/json"
            request = Request("GET", self.resource.path(), tuple(query), {"accept": accept})
            try:
                page = answer(await self._transport.send(request), request)
            except ApiError as error:
                if error.status == 410 and following:
                    raise _Relist from None
                raise
            for obj in page.get("items") or ():
                found[key_of(obj)] = self._trim(obj)
            metadata = page.get("metadata") or {}
            following = metadata.get("continue") or ""
            if not following:
                self._replace(found, metadata.get("resourceVersion") or "")
                return

    async def _watch(self) -> bool:
        """Follow changes until the server ends the watch. True when anything came."""
        seen = False
        query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self._version),
            ("timeoutSeconds", str(self._random.randint(1800, 3600))),
        )
        headers = {"accept": METADATA_WATCH if self._partial else "application/json"}
        request = Request("GET", self.resource.path(), query, headers)
        async with self._transport.stream(request) as stream:
            if stream.status == 410:
                raise _Relist
            if stream.status >= 400:
                raise ApiError("the watch was refused", status=stream.status, where=request.path)
            async for line in stream.lines():
                if line.strip():
                    self._take(line)
                    seen = True
        return seen

    def _take(self, line: bytes) -> None:
        try:
            event = _event.decode(line)
        except msgspec.DecodeError as error:
            raise TransportError("a watch event is not JSON", why=str(error)) from None
        obj = event.object
        if event.type == "ERROR":
            if obj.get("code") == 410:
                raise _Relist
            raise ApiError(str(obj.get("message") or "the watch failed"), status=int(obj.get("code") or 500))
        self._version = obj["metadata"]["resourceVersion"]
        if event.type == "DELETED":
            uid = obj["metadata"]["uid"]
            if uid in self._gone:
                self._gone.discard(uid)
                return
            known = self._objects.get(key_of(obj))
            if known is not None and known["metadata"]["uid"] == uid:
                self._drop(key_of(obj))
        elif event.type != "BOOKMARK":
            self._put(self._trim(obj))

    def _replace(self, found: dict[Key, Object], version: str) -> None:
        self._version = version
        self._gone.clear()
        for key in [key for key in self._objects if key not in found]:
            self._drop(key)
        for obj in found.values():
            self._put(obj)
        self.synced.set()

    def _put(self, obj: Object) -> None:
        key, metadata = key_of(obj), obj["metadata"]
        if metadata["uid"] in self._gone:
            return
        old = self._objects.get(key)
        if old is not None and old["metadata"]["uid"] != metadata["uid"]:
            if _version(metadata) < _version(old["metadata"]):
                return
            self._drop(key)  # the same name, another object: first the end of the old one
            old = None
        if old is not None and _version(metadata) <= _version(old["metadata"]):
            return
        self._objects[key] = obj
        for index, table in self._indexes.values():
            _reindex(index, table, key, old, obj)
        for handler in self._handlers:
            handler(old, obj)

    def _drop(self, key: Key) -> None:
        old = self._objects.pop(key)
        for index, table in self._indexes.values():
            _reindex(index, table, key, old, None)
        for handler in self._handlers:
            handler(old, None)


def _version(metadata: Object) -> int:
    """Versions of one kind can be compared as numbers, which Kubernetes promises since 1.35 and always did."""
    version = metadata.get("resourceVersion") or "0"
    return int(version) if version.isdigit() else 0


def _reindex(
    index: Index, table: dict[str, dict[Key, Object]], key: Key, old: Object | None, new: Object | None
) -> None:
    before = set(index(old)) if old is not None else set()
    after = set(index(new)) if new is not None else set()
    for value in before - after:
        entries = table[value]
        del entries[key]
        if not entries:
            del table[value]
    for value in after:
        table.setdefault(value, {})[key] = new  # type: ignore[assignment]  # `after` is empty without `new`
