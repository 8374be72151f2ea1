"""Which kinds are watched, and the reflectors that do it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from reconciler.clock import Clock
from reconciler.cluster.api import Api
from reconciler.cluster.cache import LiveCache
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.reflector import Reflector
from reconciler.errors import NotFound, ReconcilerError
from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.kube.resources import Resource
from reconciler.kube.selector import LabelSelector
from reconciler.model.change import Live


@dataclass
class _Wanted:
    version: str | None
    selector: str
    namespaces: set[str]  # "" for all


class Watches:
    """One reflector for each kind and namespace. A kind that the cluster does not serve yet is watched once it does."""

    def __init__(self, api: Api, discovery: Discovery, cache: LiveCache, *, clock: Clock, random: Random) -> None:
        self._api = api
        self._discovery = discovery
        self._cache = cache
        self._clock = clock
        self._random = random
        self._wanted: dict[GroupKind, _Wanted] = {}
        self._running: dict[tuple[GroupKind, str], tuple[Reflector, asyncio.Task[None]]] = {}

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
        asked = set()
        for each in sorted(kinds):
            version = each.version if isinstance(each, GroupVersionKind) else None
            kind = each.group_kind if isinstance(each, GroupVersionKind) else each
            wanted = self._wanted.setdefault(kind, _Wanted(version, selector, set()))
            if wanted.selector != selector:
                raise ValueError(f"{kind} is watched with another selector")
            wanted.namespaces |= set(namespaces) or {""}
            asked.add(kind)
            await self._discovery.resource(kind, version)  # reads anew where the kind is unknown
        self.ensure()
        for reflector in self._of(asked):
            await reflector.settled.wait()
        return self.failing(asked)

    def ensure(self, kinds: Iterable[GroupKind] | None = None) -> None:
        """Start what is wanted (of `kinds`), can be watched and does not run."""
        for kind in sorted(self._wanted if kinds is None else kinds):
            wanted = self._wanted.get(kind)
            if wanted is None:
                continue
            resource = self._discovery.known(kind, wanted.version) or self._discovery.known(kind)
            if resource is None:
                continue
            spaces = _scopes(resource, wanted)
            for other, namespace in tuple(self._running):
                if other == kind and namespace not in spaces:
                    self._running.pop((kind, namespace))[1].cancel()
            started = [self._start(kind, resource, space, wanted.selector) for space in sorted(spaces)]
            if any(started):
                self._cache.expect(kind, sum(not reflector.listed for reflector in self._of({kind})))

    def covers(self, live: Live) -> bool:
        """Whether `live` is among what is to be watched, now or when its kind is served."""
        identity = live.identity
        wanted = self._wanted.get(identity.group_kind)
        return (
            wanted is not None
            and (not identity.namespace or not wanted.namespaces.isdisjoint(("", identity.namespace)))
            and LabelSelector.parse(wanted.selector).matches(live.labels)
        )

    def failing(self, kinds: Iterable[GroupKind] | None = None) -> Mapping[GroupKind, ReconcilerError]:
        """Which of `kinds` (of all that are wanted) are not watched at present, and why."""
        found: dict[GroupKind, ReconcilerError] = {}
        for kind in sorted(self._wanted if kinds is None else kinds):
            reflectors = self._of({kind})
            if not reflectors:
                found[kind] = NotFound(f"the cluster does not serve {kind}", status=404, reason="NotFound")
            for reflector in reflectors:
                if reflector.error is not None:
                    found.setdefault(kind, reflector.error)
        return found

    async def close(self) -> None:
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    def _start(self, kind: GroupKind, resource: Resource, namespace: str, selector: str) -> bool:
        known = self._running.get((kind, namespace))
        if known is not None and not known[1].done():
            return False
        reflector = Reflector(
            self._api, self._cache, resource, namespace, selector, clock=self._clock, random=self._random
        )
        self._running[kind, namespace] = (reflector, asyncio.create_task(reflector.run(), name=f"watch {kind}"))
        return True

    def _of(self, kinds: set[GroupKind]) -> list[Reflector]:
        return [reflector for (kind, _), (reflector, _) in sorted(self._running.items(), key=_key) if kind in kinds]


def _key(item: tuple[tuple[GroupKind, str], object]) -> tuple[GroupKind, str]:
    return item[0]


def _scopes(resource: Resource, wanted: _Wanted) -> set[str]:
    """The namespaces to watch in: one watch of all makes the others needless."""
    return {""} if not resource.namespaced or "" in wanted.namespaces else wanted.namespaces
