"""Which kinds are watched, and the reflectors that do it.

One watch of everything makes those of single namespaces needless, but only while the server grants it: where it is
refused, who asked for single namespaces is served by watches of these.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Generic

from reconciler.clock import Clock
from reconciler.cluster.api import Api
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.reflector import E, Reflector, Store
from reconciler.errors import Forbidden, NotFound, ReconcilerError
from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.kube.resources import Resource
from reconciler.kube.selector import LabelSelector
from reconciler.model.change import Live


@dataclass
class _Wanted:
    version: str | None
    selector: str
    labels: LabelSelector  # what `selector` means
    namespaces: set[str]  # "" for all


class Watches(Generic[E]):
    """One reflector for each kind and namespace. A kind that the cluster does not serve yet is watched once it does."""

    def __init__(self, api: Api, discovery: Discovery, cache: Store[E], *, clock: Clock, random: Random) -> None:
        self._api = api
        self._discovery = discovery
        self._cache = cache
        self._clock = clock
        self._random = random
        self._wanted: dict[GroupKind, _Wanted] = {}
        self._running: dict[tuple[GroupKind, str], tuple[Reflector[E], asyncio.Task[None]]] = {}

    async def watch(
        self,
        kinds: Iterable[GroupKind | GroupVersionKind],
        *,
        selector: str,
        namespaces: Iterable[str] = (),
    ) -> Mapping[GroupKind, ReconcilerError]:
        """Watch `kinds` too, and wait for their first lists.

        A kind named with a version is watched in that version, if it is the first to be named. Returns the kinds that
        could not be listed, and why; they are tried again in the background.
        """
        spaces = frozenset(namespaces)
        asked = set()
        for each in sorted(kinds):
            version = each.version if isinstance(each, GroupVersionKind) else None
            kind = each.group_kind if isinstance(each, GroupVersionKind) else each
            if (wanted := self._wanted.get(kind)) is None:
                wanted = self._wanted[kind] = _Wanted(version, selector, LabelSelector.parse(selector), set())
            if wanted.selector != selector:
                raise ValueError(f"{kind} is watched with another selector")
            wanted.namespaces |= spaces or {""}
            asked.add(kind)
            await self._discovery.resource(kind, version)  # reads anew where the kind is unknown
        for _ in range(2):  # what is refused everywhere may be granted in single namespaces
            self.ensure()
            for kind in sorted(asked):
                for reflector in self._serving(kind, spaces):
                    await reflector.settled.wait()
        return self.failing(asked, spaces)

    def ensure(self, kinds: Iterable[GroupKind] | None = None) -> None:
        """Start what is wanted (of `kinds`), can be watched and does not run."""
        for kind in sorted(self._wanted if kinds is None else kinds):
            wanted = self._wanted.get(kind)
            if wanted is None:
                continue
            resource = self._discovery.known(kind, wanted.version) or self._discovery.known(kind)
            if resource is None:
                continue
            for space in sorted(self._scopes(kind, resource, wanted.namespaces)):
                self._start(kind, resource, space, wanted.selector)

    def _scopes(self, kind: GroupKind, resource: Resource, wanted: set[str]) -> set[str]:
        """The namespaces to watch in, "" for all. Ends the watches that are needless now."""
        if not resource.namespaced:
            return {""}
        if "" not in wanted:
            return wanted
        everywhere = self._running.get((kind, ""))
        if everywhere is None:
            return {""}
        if everywhere[0].followed:
            for space in wanted - {""}:
                if narrow := self._running.pop((kind, space), None):
                    narrow[1].cancel()
            return {""}
        return wanted if isinstance(everywhere[0].error, Forbidden) else {""}

    async def reread(self, kinds: Iterable[GroupKind], age: float) -> None:
        """List `kinds` again where that was done more than `age` seconds ago. What cannot be listed is passed over."""
        asked, old = set(kinds), self._clock.monotonic() - age
        for (kind, _space), (reflector, _task) in sorted(self._running.items(), key=lambda item: item[0]):
            if kind in asked and reflector.read_at <= old:
                with suppress(ReconcilerError):  # its own attempts say what is wrong
                    await reflector.reread()

    def covers(self, live: Live) -> bool:
        """Whether `live` is among what is to be watched, now or when its kind is served."""
        identity = live.identity
        wanted = self._wanted.get(identity.group_kind)
        return (
            wanted is not None
            and (not identity.namespace or not wanted.namespaces.isdisjoint(("", identity.namespace)))
            and wanted.labels.matches(live.labels)
        )

    def failing(
        self, kinds: Iterable[GroupKind] | None = None, namespaces: Collection[str] = ()
    ) -> Mapping[GroupKind, ReconcilerError]:
        """Which of `kinds` (of all that are wanted) are not watched in `namespaces` (in all) at present, and why."""
        found: dict[GroupKind, ReconcilerError] = {}
        for kind in sorted(self._wanted if kinds is None else kinds):
            reflectors = self._serving(kind, namespaces)
            if not reflectors:
                found[kind] = NotFound(f"the cluster does not serve {kind}", status=404, reason="NotFound")
            for reflector in reflectors:
                if reflector.error is not None:
                    found.setdefault(kind, reflector.error)
        return found

    def listed(self, kind: GroupKind, namespaces: Collection[str] = ()) -> bool:
        """Whether all of `kind` in `namespaces` (in all) has been listed once; False where it is not watched."""
        reflectors = self._serving(kind, namespaces)
        return bool(reflectors) and all(reflector.listed for reflector in reflectors)

    async def close(self) -> None:
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    def _start(self, kind: GroupKind, resource: Resource, namespace: str, selector: str) -> None:
        known = self._running.get((kind, namespace))
        if known is not None and not known[1].done():
            return
        reflector = Reflector(
            self._api, self._cache, resource, namespace, selector, clock=self._clock, random=self._random
        )
        self._running[kind, namespace] = (reflector, asyncio.create_task(reflector.run(), name=f"watch {kind}"))

    def _serving(self, kind: GroupKind, namespaces: Collection[str]) -> list[Reflector[E]]:
        """Those that show `namespaces` ("" and nothing: all) of a kind."""
        everywhere = self._running.get((kind, ""))
        found = [self._running.get((kind, space), everywhere) for space in sorted(namespaces)] or [everywhere]
        return [each[0] for each in found if each is not None]
