"""Events: what happened to an object, in words, for `kubectl describe`."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from reconciler.clock import Clock
from reconciler.errors import ReconcilerError
from reconciler.kube.times import stamp
from reconciler.sandbox.client import EVENTS, Client, Key, Object, Resource, key_of

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 4096
_BACKLOG: Final = 2000


class Verbosity(Enum):
    """Which events are written: each costs a request."""

    NONE = "none"
    WARNINGS = "warnings"
    ALL = "all"


class Recorder:
    """Writes events in the background, repeating one by counting it up. A long backlog drops the normal ones."""

    def __init__(self, client: Client, clock: Clock, verbosity: Verbosity = Verbosity.ALL) -> None:
        self._client = client
        self._clock = clock
        self._verbosity = verbosity
        self._queue: asyncio.Queue[tuple[str, Object]] = asyncio.Queue()
        self._counts: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def warning(self, resource: Resource, obj: Mapping[str, Any], reason: str, message: str, *, source: str) -> None:
        self._record(resource, obj, "Warning", reason, message, source)

    def normal(self, resource: Resource, obj: Mapping[str, Any], reason: str, message: str, *, source: str) -> None:
        self._record(resource, obj, "Normal", reason, message, source)

    async def run(self) -> None:
        while True:
            identity, event = await self._queue.get()
            try:
                await self._write(identity, event)
            except ReconcilerError as error:
                _log.debug("an event was not written: %s", error)

    def _record(
        self, resource: Resource, obj: Mapping[str, Any], level: str, reason: str, message: str, source: str
    ) -> None:
        if self._verbosity is Verbosity.NONE:
            return
        if level == "Normal" and (self._verbosity is Verbosity.WARNINGS or self._queue.qsize() > _BACKLOG):
            return
        metadata = obj["metadata"]
        now = self._clock.now()
        involved = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
        }
        if metadata.get("namespace"):
            involved["namespace"] = metadata["namespace"]
        identity = "\0".join((resource.kind, involved["uid"], source, level, reason, message))
        digest = hashlib.blake2b(f"{identity}\0{now.timestamp()}".encode(), digest_size=8).hexdigest()
        event: Object = {
            "metadata": {
                "namespace": metadata.get("namespace") or "default",
                "name": f"{metadata['name']}.{digest}",
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message[:1024],
            "type": level,
            "count": 1,
            "firstTimestamp": stamp(now),
            "lastTimestamp": stamp(now),
            "source": {"component": source},
            "reportingComponent": source,
            "reportingInstance": "",
        }
        self._queue.put_nowait((identity, event))

    async def _write(self, identity: str, event: Object) -> None:
        known = self._counts.pop(identity, None)
        if known is not None:
            name, count = known
            key = Key(event["metadata"]["namespace"], name)
            try:
                await self._client.patch(EVENTS, key, {"count": count + 1, "lastTimestamp": event["lastTimestamp"]})
            except ReconcilerError:
                known = None  # it expired, or its namespace went: write a new one
            else:
                self._counts[identity] = (name, count + 1)
        if known is None:
            created = await self._client.create(EVENTS, event)
            self._counts[identity] = (key_of(created).name, 1)
        while len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
