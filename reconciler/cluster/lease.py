"""A Lease of coordination.k8s.io/v1: one of several processes does something, the others wait.

A Lease is a promise among those who ask, not a lock: it has no fencing token (rule 23). So whoever holds it asks `held`
immediately before each write, and what it writes carries preconditions.

Clocks of other machines are not trusted. Whether another holder is still there is told by whether the Lease changes:
it has expired when it was seen unchanged, by our own clock, for as long as its holder asked for. Our own hold ends
earlier than that, counted from before the request that renewed it was sent.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from reconciler.clock import Clock
from reconciler.cluster.api import Api, decode, object_path
from reconciler.errors import AlreadyExists, Conflict, NotFound, ReconcilerError, TransportError
from reconciler.http.transport import Request
from reconciler.kube.media import JSON, MERGE_PATCH
from reconciler.kube.names import Identity
from reconciler.kube.times import micro_stamp

DURATION: Final = 15.0  # seconds without a renewal after which others may take it
_HOLD: Final = 2 / 3  # of the duration: for that long after a renewal it is ours
_PAUSE: Final = 1 / 5  # of the duration: between two attempts
_PATIENCE: Final = 1 / 3  # of the duration: for one attempt
_RELEASE: Final = 0.5  # seconds to let go of it: a daemon that ends has five for everything

_VERSION: Final = "coordination.k8s.io/v1"

logger = logging.getLogger(__name__)


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    renew_time: datetime | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None


class _Lease(msgspec.Struct):
    metadata: _Meta
    spec: _Spec | None = None


class _Seen(NamedTuple):
    """A state of the Lease, and when it was first seen, on the monotonic clock."""

    version: str
    holder: str
    duration: float
    transitions: int
    since: float


class LeaseSeen(NamedTuple):
    """What a Lease says, for people: only its holder can tell whether it is still there."""

    holder: str
    renewed: datetime | None
    duration: timedelta

    def expired(self, now: datetime) -> bool:
        """Whether it was not renewed in time, by two clocks that may differ."""
        return not self.holder or self.renewed is None or now - self.renewed > self.duration


async def seen(api: Api, namespace: str, name: str) -> LeaseSeen | None:
    """A Lease of whomever; None where there is none. Raises ApiError, TransportError."""
    subject = str(Identity("coordination.k8s.io", "Lease", namespace, name))
    try:
        answer = await api.get(object_path(_VERSION, "leases", namespace, name), subject=subject)
    except NotFound:
        return None
    spec = decode(answer, _Lease, subject).spec or _Spec()
    duration = timedelta(seconds=spec.lease_duration_seconds or DURATION)
    return LeaseSeen(spec.holder_identity or "", spec.renew_time, duration)


class Lease:
    """One Lease by name. `holder` is who we are, unique to this life of this process; `duration` is in whole seconds.

    The API server is asked by `acquire`, `release` and `keep`, by nothing else. `api` should not try again by itself:
    an answer that comes late is worth nothing here.
    """

    def __init__(
        self, api: Api, namespace: str, name: str, holder: str, *, clock: Clock, duration: float = DURATION
    ) -> None:
        self._api = api
        self._own = holder
        self._clock = clock
        self._duration = duration
        self._identity = Identity("coordination.k8s.io", "Lease", namespace, name)
        self._collection = object_path(_VERSION, "leases", namespace)
        self._path = object_path(_VERSION, "leases", namespace, name)
        self._seen: _Seen | None = None
        self._until: tuple[float, datetime] | None = None  # on both clocks: one of them stands still while we sleep

    @property
    def holder(self) -> str:
        """Who holds it as far as we know, ourselves or another; "" where nobody does, or nothing is known yet."""
        if self.held():
            return self._own
        return self._seen.holder if self._seen is not None and self._seen.holder != self._own else ""

    def held(self) -> bool:
        """Whether it is ours at this instant."""
        return (
            self._until is not None and self._clock.monotonic() < self._until[0] and self._clock.now() < self._until[1]
        )

    async def acquire(self) -> bool:
        """Take it, or renew it, where that may be done; whether it is ours then.

        Raises ApiError, or TransportError where there is no answer within a third of the duration. What was ours stays
        so until its time is over.
        """
        try:
            async with asyncio.timeout(self._duration * _PATIENCE):
                return await self._attempt()
        except TimeoutError:
            raise TransportError("no answer in time", where=str(self._identity)) from None

    async def release(self) -> None:
        """Let others have it at once, where it is ours. Where that fails they have it a little later."""
        seen, ours = self._seen, self.held()
        self._until = self._seen = None
        if not ours or seen is None:
            return
        try:
            async with asyncio.timeout(_RELEASE):
                # No holder instead of an empty one, which an API server refuses.
                await self._send("PATCH", self._path, _body(seen.version, holderIdentity=None, leaseDurationSeconds=1))
        except (ReconcilerError, TimeoutError) as error:
            logger.info("%s was not released, and ends by itself: %s", self._identity, error)

    async def keep(self, changed: Callable[[bool], None] = lambda _held: None) -> None:
        """Acquire it as soon as that may be done, renew it from then on, release it when cancelled.

        `changed` is told when we got it and when we lost it. A failure is logged, once for as long as it lasts.
        """
        told, said = False, ""
        try:
            while True:
                try:
                    await self.acquire()
                    said = ""
                except ReconcilerError as error:
                    if (text := error.advised) != said:
                        said = text
                        logger.warning("%s is not renewed: %s", self._identity, text)
                if (held := self.held()) != told:
                    told = held
                    changed(held)
                await self._clock.sleep(self._duration * _PAUSE)
        finally:
            await self.release()

    async def _attempt(self) -> bool:
        for _ in range(2):  # somebody may write it between our reading and our writing
            if self._seen is None or self._seen.holder != self._own:
                await self._look()
            if not self._free():
                self._until = None
                return False
            seen, self._seen = self._seen, None  # what becomes of it is not known until there is an answer
            try:
                await self._write(seen)
            except (AlreadyExists, Conflict, NotFound):
                self._until = None
            else:
                return self.held()
        return False

    def _free(self) -> bool:
        seen = self._seen
        return seen is None or seen.holder in ("", self._own) or self._clock.monotonic() >= seen.since + seen.duration

    async def _look(self) -> None:
        try:
            found = decode(await self._api.get(self._path, subject=str(self._identity)), _Lease, str(self._identity))
        except NotFound:
            self._seen = None
            return
        if self._seen is None or self._seen.version != found.metadata.resource_version:
            self._seen = self._as_seen(found)

    def _as_seen(self, found: _Lease) -> _Seen:
        spec = found.spec or _Spec()
        return _Seen(
            found.metadata.resource_version,
            spec.holder_identity or "",
            float(spec.lease_duration_seconds or self._duration),
            spec.lease_transitions or 0,
            self._clock.monotonic(),
        )

    async def _write(self, seen: _Seen | None) -> None:
        began, now = self._clock.monotonic(), self._clock.now()
        stamp = micro_stamp(now)
        spec: dict[str, Any] = {
            "holderIdentity": self._own,
            "leaseDurationSeconds": round(self._duration),
            "renewTime": stamp,
        }
        if seen is None or seen.holder != self._own:
            spec |= {"acquireTime": stamp, "leaseTransitions": seen.transitions + 1 if seen is not None else 0}
        if seen is None:
            names = {"name": self._identity.name, "namespace": self._identity.namespace}
            body = {"apiVersion": _VERSION, "kind": "Lease", "metadata": names, "spec": spec}
            answer = await self._send("POST", self._collection, body)
        else:
            answer = await self._send("PATCH", self._path, _body(seen.version, **spec))
        self._seen = self._as_seen(decode(answer, _Lease, str(self._identity)))
        hold = self._duration * _HOLD
        self._until = began + hold, now + timedelta(seconds=hold)

    async def _send(self, method: str, path: str, body: object) -> bytes:
        headers = {"accept": JSON, "content-type": MERGE_PATCH if method == "PATCH" else JSON}
        request = Request(method, path, (), headers, msgspec.json.encode(body), self._duration)
        return await self._api.call(request, str(self._identity))


def _body(version: str, **spec: object) -> dict[str, Any]:
    """A change of the Lease as it was at resourceVersion `version`, and of no later one."""
    return {"metadata": {"resourceVersion": version}, "spec": spec}
