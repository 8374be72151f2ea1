"""GET with `watch`: what happens to a collection, as it happens."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from reconciler.kube.names import GroupKind
from reconciler.sandbox.refusals import Refusal, bad_request, expired, invalid
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.store import Entry, Event, EventType, Expired
from reconciler.sandbox.tables.table import table_of
from reconciler.sandbox.verbs.call import Call
from reconciler.sandbox.verbs.read import too_new, whole_number
from reconciler.sandbox.verbs.selection import Selection, select
from reconciler.sandbox.verbs.shape import partial, row

Value = dict[str, Any]

BOOKMARK_INTERVAL: Final = 60.0  # seconds; the real server sends one about every minute, and one before it closes
DEFAULT_TIMEOUT: Final = 1800.0
_INITIAL_END: Final = "k8s.io/initial-events-end"


class Watch:
    """One watch, from its request to its end. `close()` may be called at any time."""

    def __init__(self, call: Call) -> None:
        query = call.query
        self._call = call
        self._core, self._kind = call.core, call.kind
        self._selection = _named(call) if call.name else select(call.core, call.kind, query)
        self._namespace = call.namespace if call.kind.namespaced else ""
        self._bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        self._seconds = float(whole_number(query.get("timeoutSeconds"), "timeoutSeconds") or DEFAULT_TIMEOUT)
        self._pending: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._sent = 0
        self._first = True
        self._begin()
        self._stop = self._core.store.listen(call.kind.group_kind, self._on_event)

    def _begin(self) -> None:
        """Queue what comes before the first new event."""
        query, store = self._call.query, self._core.store
        stated = query.get("resourceVersion", "")
        match = query.get("resourceVersionMatch", "")
        initial = query.get("sendInitialEvents")
        causes = Causes()
        if initial is not None and match != "NotOlderThan":
            causes.forbidden(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        elif initial is None and match:
            causes.forbidden(
                "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is set"
            )
        if initial in ("true", "1") and not self._bookmarks:
            causes.forbidden("sendInitialEvents", "sendInitialEvents requires setting allowWatchBookmarks to true")
        if causes:
            raise invalid(GroupKind("meta.k8s.io", "ListOptions"), "", causes)
        revision = whole_number(stated, "resourceVersion")
        if revision > store.revision:
            raise too_new(revision, store.revision)
        wants_state = initial in ("true", "1") or (initial is None and revision == 0)
        if wants_state:
            for entry in store.range(self._kind.group_kind, self._namespace):
                if self._selection.matches(entry):
                    self._queue("ADDED", entry)
            if initial in ("true", "1"):
                self._pending.append(self._bookmark({_INITIAL_END: "true"}))
        elif revision:
            try:
                events = store.since(self._kind.group_kind, revision)
            except Expired:
                message = f"too old resource version: {revision} ({store.revision})"
                self._pending.append(_error(expired(message)))
                self._closed = True
                return
            for event in events:
                self._on_event(event)

    def _on_event(self, event: Event) -> None:
        """Queue an event that concerns this watch. An object that begins or ceases to match is added or deleted."""
        entry, before = event.entry, event.before
        if self._namespace and entry.namespace != self._namespace:
            return
        now = event.type is not EventType.DELETED and self._selection.matches(entry)
        earlier = before is not None and self._selection.matches(before)
        if now:
            self._queue("MODIFIED" if earlier else "ADDED", entry)
        elif earlier and before is not None:
            gone = entry if event.type is EventType.DELETED else self._stamped(before, event.revision)
            self._queue("DELETED", gone)

    def _stamped(self, entry: Entry, revision: int) -> Entry:
        """The last state that matched, with the revision in which it ceased to."""
        storage = self._core.registry.storage(self._kind)
        value = self._core.read(entry, storage)
        value["metadata"]["resourceVersion"] = str(revision)
        return self._core.entry(storage, value, revision)

    def _queue(self, event: str, entry: Entry) -> None:
        self._pending.append(self._line(event, entry))
        self._wake.set()

    def _line(self, event: str, entry: Entry) -> bytes:
        shape = self._call.accept.shape
        if not shape:
            body = self._core.body(entry, self._kind)
        else:
            value = self._core.read(entry, self._kind)
            body = msgspec.json.encode(self._shaped(value))
        return b'{"type":"%b","object":%b}' % (event.encode(), body)

    def _shaped(self, value: Value) -> Value:
        if self._call.accept.shape != "Table":
            return partial(value)
        revision = value["metadata"]["resourceVersion"]
        table = table_of(self._kind, [row(self._call, value)], revision)
        if not self._first:
            table["columnDefinitions"] = None
        self._first = False
        return table

    def _bookmark(self, annotations: Value | None = None) -> bytes:
        revision = str(self._core.store.revision)
        about: Value = {"resourceVersion": revision, "creationTimestamp": None}
        if annotations:
            about["annotations"] = annotations
        value: Value = {"kind": self._kind.resource.kind, "apiVersion": self._kind.api_version, "metadata": about}
        if self._call.accept.shape == "Table":
            value = table_of(self._kind, [], revision)
        elif self._call.accept.shape:
            value = partial(value)
        return msgspec.json.encode({"type": "BOOKMARK", "object": value})

    async def lines(self) -> AsyncIterator[bytes]:
        """Each event as a line of JSON without its end, until the time is up or the watch is closed."""
        clock = self._core.clock
        deadline = clock.monotonic() + self._seconds
        next_bookmark = clock.monotonic() + BOOKMARK_INTERVAL
        try:
            while True:
                while self._pending:
                    yield self._pending.popleft()
                if self._closed:
                    return
                self._wake.clear()
                until = min(deadline, next_bookmark) if self._bookmarks else deadline
                if await self._woken(until - clock.monotonic()):
                    continue
                if self._bookmarks and clock.monotonic() >= min(next_bookmark, deadline):
                    next_bookmark += BOOKMARK_INTERVAL
                    yield self._bookmark()
                if clock.monotonic() >= deadline:
                    return
        finally:
            self.close()

    async def _woken(self, seconds: float) -> bool:
        """Wait for something to send or for the time to pass; whether there is something."""
        if seconds <= 0:
            return False
        timer = asyncio.ensure_future(self._core.clock.sleep(seconds))
        timer.add_done_callback(lambda done: None if done.cancelled() else self._wake.set())
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        return bool(self._pending) or self._closed

    def close(self) -> None:
        self._closed = True
        self._stop()
        self._wake.set()


def _named(call: Call) -> Selection:
    """Of a watch on one object's own path."""
    return select(call.core, call.kind, {"fieldSelector": f"metadata.name={call.name}"})


def _error(refusal: Refusal) -> bytes:
    return msgspec.json.encode({"type": "ERROR", "object": refusal.status()})


def wanted(call: Call) -> bool:
    """Whether a GET asks to watch."""
    found = call.query.get("watch", "")
    if found not in ("", "0", "1", "false", "true"):
        raise bad_request(f'invalid watch: "{found}"')
    return found in ("1", "true")
