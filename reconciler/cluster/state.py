"""What is remembered of every source: read once, changed in memory, written soon, at most once a second."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from reconciler.clock import Clock
from reconciler.cluster import shards
from reconciler.cluster.api import Api
from reconciler.cluster.cache import LiveCache, Packed
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.configmaps import ConfigMaps
from reconciler.cluster.install import find_install
from reconciler.cluster.reflector import Reflector
from reconciler.errors import AlreadyExists, ApiError, Conflict, ReconcilerError
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.state import INSTALL_NAME, LABEL_PIECE, LABEL_STATE, SourceState, state_name

Update = Callable[[SourceState], SourceState]

PACE: Final = 1.0  # seconds between two writes of one source
_ATTEMPTS: Final = 5
_LONGEST_PAUSE: Final = 60.0

logger = logging.getLogger(__name__)


@dataclass
class _Slot:
    """One source. `state` has `pending` in it already; `sure` holds only what is in the cluster whatever becomes of a
    write under way."""

    state: SourceState
    version: shards.Version
    sure: SourceState
    pending: list[Update] = field(default_factory=list)
    written: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None


class StateStore:
    """The states of all sources, in ConfigMaps of `namespace`, which must exist before the first write.

    Changes are functions: where another process (the command line) wrote meanwhile, they are applied again to what it
    wrote. Reading and writing raise ApiError, TransportError, and ConfigError where the namespace is missing or a
    stored state cannot be understood. `pace` is in seconds, between two writes of one source.
    """

    def __init__(self, cluster: Cluster, namespace: str, *, clock: Clock, pace: float = PACE) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._maps = ConfigMaps(cluster.server.api, namespace)
        self._clock = clock
        self._pace = pace
        self._slots: dict[str, _Slot] = {}

    async def load(self, source: str) -> SourceState:
        """The state of `source`, read from the cluster where it is not known here."""
        if (slot := self._slots.get(source)) is None:
            state, version = await self._read(source)
            await shards.tidy(self._maps, _kept(source), version, self._clock.now())
            slot = self._slots.setdefault(source, _Slot(state, version, state))
        return slot.state

    async def peek(self, source: str) -> SourceState:
        """The state as the cluster has it now, for who may only read: nothing is tidied, nothing is kept here."""
        return (await self._read(source))[0]

    def get(self, source: str) -> SourceState:
        """The state as known here, with changes that are not written yet. `load` it first (KeyError)."""
        return self._slots[source].state

    def update(self, source: str, change: Update) -> SourceState:
        """Change a loaded state and have it written soon. Writes nothing where `change` changes nothing.

        `change` may be called again, with the state that another process wrote.
        """
        slot = self._slots[source]
        changed = change(slot.state)
        if changed != slot.state:
            slot.state = changed
            slot.pending.append(change)
            if slot.task is None:
                slot.task = asyncio.create_task(self._write_soon(slot), name=f"state of {source}")
        return slot.state

    async def record(self, source: str, kinds: Iterable[GroupKind], namespaces: Iterable[str]) -> None:
        """Have `kinds` and `namespaces` on record before anything is applied (rule 3). No request where they are."""
        kinds, namespaces = frozenset(kinds), frozenset(namespaces)
        self.update(source, lambda state: state.using(kinds, namespaces))
        sure = self._slots[source].sure
        if not (kinds <= sure.kinds and namespaces <= sure.namespaces):
            await self.flush(source)

    async def flush(self, source: str) -> None:
        """Return once everything said so far is in the cluster."""
        slot = self._slots[source]
        while slot.pending:
            await self._write(slot)

    async def sources(self) -> list[str]:
        """All sources that have a state in the cluster, sorted."""
        names = await self._maps.names(LABEL_STATE)
        return sorted(name.removeprefix(state_name("")) for name in names)

    async def install(self, configured: str | None, sources: Collection[str] | None = None) -> str:
        """Who we are: the configured name, else the uid kept in the cluster; where there is none it is made.

        Before making one, objects in the cluster are asked whom they belong to (those of `sources`, where given): a
        lost ConfigMap must not make every object a stranger.
        """
        if configured:
            return configured
        if stored := await self.installed():
            return stored
        found = await find_install(self._cluster.server, sources)
        uid = found or f"{self._cluster.server.random.getrandbits(64):016x}"
        try:
            await self._maps.create(INSTALL_NAME, {"uid": uid}, {})
        except AlreadyExists:  # another one started at the same time
            return await self.installed() or uid
        return uid

    async def installed(self) -> str | None:
        """The uid that is kept in the cluster, if there is one."""
        stored = await self._maps.read(INSTALL_NAME)
        return stored.data["uid"] if stored else None

    async def reload(self, source: str) -> SourceState:
        """The state as the cluster has it now, with changes that are not written yet."""
        slot = self._slots[source]
        async with slot.lock:
            await self._merge(slot)
        return slot.state

    async def follow(self, changed: Callable[[str], None]) -> None:
        """Until cancelled: take in what other processes write, and tell `changed` the source."""
        cache = LiveCache()
        news: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

        def seen(identity: Identity, _old: Packed | None, new: Packed | None) -> None:
            if new is not None and (source := new.live(identity).labels.get(LABEL_STATE, "")) in self._slots:
                news.put_nowait((source, new.version))

        cache.subscribe(seen)
        reflector = Reflector(
            Api(self._cluster.transport),
            cache,
            ConfigMaps.RESOURCE,
            self._namespace,
            LABEL_STATE,
            clock=self._clock,
            random=self._cluster.server.random,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reflector.run())
            while True:
                source, version = await news.get()
                try:
                    if await self._learn(self._slots[source], version):
                        changed(source)
                except ReconcilerError as error:
                    logger.warning("the state of %s was not read again: %s", source, error)

    async def close(self, timeout: float = 3.0) -> None:
        """Write what is not written yet, for `timeout` seconds at most."""
        for slot in self._slots.values():
            if slot.task is not None:
                slot.task.cancel()
        try:
            async with asyncio.timeout(timeout):
                for source, slot in sorted(self._slots.items()):
                    slot.written = float("-inf")  # the last write does not wait for its turn
                    await self.flush(source)
        except (ReconcilerError, TimeoutError) as error:
            logger.warning("the state was not written: %s", error)

    async def _write_soon(self, slot: _Slot) -> None:
        pause = self._pace
        try:
            while slot.pending:
                try:
                    await self._write(slot)
                    pause = self._pace
                except ReconcilerError as error:
                    logger.warning("the state of %s is not written yet: %s", slot.state.source, error)
                    asked = error.retry_after if isinstance(error, ApiError) else None
                    await self._clock.sleep(max(pause, asked or 0.0))
                    pause = min(_LONGEST_PAUSE, pause * 2)
        finally:
            slot.task = None

    async def _write(self, slot: _Slot) -> None:
        """Write `slot` if it still is to be written, when its turn has come."""
        async with slot.lock:
            await self._clock.sleep(slot.written + self._pace - self._clock.monotonic())
            for _ in range(_ATTEMPTS):
                if not slot.pending:
                    return
                said, state, sure = len(slot.pending), slot.state, slot.sure
                slot.written = self._clock.monotonic()
                slot.sure = replace(sure, kinds=sure.kinds & state.kinds, namespaces=sure.namespaces & state.namespaces)
                try:
                    text = msgspec.json.encode(state, order="deterministic").decode()
                    slot.version = await shards.write(self._maps, _kept(state.source), text, slot.version)
                except Conflict:
                    await self._merge(slot)
                else:
                    slot.sure = state
                    del slot.pending[:said]
                    return
            raise Conflict("others keep writing the same state", status=409, where=state_name(slot.state.source))

    async def _learn(self, slot: _Slot, version: str) -> bool:
        """Take in what somebody wrote as resourceVersion `version`, if it was not us; whether it was news."""
        async with slot.lock:
            if version == slot.version.resource_version:
                return False
            before = slot.state
            await self._merge(slot)
            return slot.state != before

    async def _merge(self, slot: _Slot) -> None:
        """Apply what is not written to what another process wrote. A state that was deleted comes back as it was."""
        state, version = await self._read(slot.state.source)
        slot.version, slot.sure = version, state
        if version == shards.NOTHING:
            return
        if state == slot.state:  # it was us, and the answer got lost
            slot.pending.clear()
            return
        for change in slot.pending:
            state = change(state)
        slot.state = state

    async def _read(self, source: str) -> tuple[SourceState, shards.Version]:
        """The state in the cluster, an empty one where there is none. ConfigError when it cannot be understood."""
        kept = _kept(source)
        text, version = await shards.read(self._maps, kept)
        if version == shards.NOTHING:
            return SourceState(source), version
        try:
            return msgspec.json.decode(text, type=SourceState), version
        except (msgspec.DecodeError, RecursionError):
            raise kept.unreadable() from None


def _kept(source: str) -> shards.Kept:
    return shards.Kept(
        state_name(source),
        f"the stored state of source {source}",
        "what was suspended and recorded",
        {LABEL_STATE: source},
        (LABEL_PIECE, source),
    )
