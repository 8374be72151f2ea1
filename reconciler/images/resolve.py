"""From what is followed to digests: as few requests as there can be.

One HEAD for each tag of a repository, one listing for each repository, however many Images follow them. What fails for
one fails for those that asked for the same, and for nobody else; who asks keeps what was good before. But a registry
that gave no usable answer several times is not asked any more in the same look: each tag would wait for its retries.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Final, Generic, TypeVar

from reconciler.errors import ImageError, ImageMissing, RegistryUnreachable
from reconciler.images.follow import Selection
from reconciler.images.reference import Repository
from reconciler.images.registry import Registry
from reconciler.kube.names import Identity
from reconciler.model.image import Resolved, Wanted

AT_ONCE: Final = 8  # requests in flight to one registry
GIVE_UP: Final = 3  # failures of one registry in one look

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Resolver:
    """Resolves with `registry`, at most `at_once` requests at a time to each registry."""

    def __init__(self, registry: Registry, *, at_once: int = AT_ONCE) -> None:
        self._registry = registry
        self._at_once = at_once

    async def resolve(self, wanted: Iterable[Wanted]) -> Mapping[Identity, Resolved | ImageError]:
        """What each of `wanted` means now, or why that could not be told."""
        return await _Scan(self._registry, self._at_once).all(tuple(wanted))


class _Scan:
    """One look at the registries. Nothing is asked twice in it."""

    def __init__(self, registry: Registry, at_once: int) -> None:
        self._registry = registry
        self._at_once = at_once
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._failures: dict[str, list[RegistryUnreachable]] = {}
        self._digests = _Once[tuple[Repository, str], str](self._digest)
        self._tags = _Once[Repository, tuple[str, ...]](self._list)

    async def all(self, wanted: tuple[Wanted, ...]) -> Mapping[Identity, Resolved | ImageError]:
        answers = await asyncio.gather(*(self._safely(one) for one in wanted))
        return {one.identity: answer for one, answer in zip(wanted, answers, strict=True)}

    async def _safely(self, wanted: Wanted) -> Resolved | ImageError:
        try:
            return await self._one(wanted)
        except ImageError as error:
            return error

    async def _one(self, wanted: Wanted) -> Resolved:
        repository = Repository.parse(wanted.repository)
        selection = Selection.of(wanted.follow)
        tag: str | None = selection.tag
        if not tag:
            tags = await self._tags.get(repository)
            tag = selection.best(tags)
            if tag is None:
                raise ImageMissing(
                    "no tag is what is followed",
                    where=str(repository),
                    why=f"it {selection.why}; the repository has {len(tags):,} tags",
                )
        digest = await self._digests.get((repository, tag))
        return Resolved(str(repository.at(tag=tag, digest=digest)), str(repository), tag, digest)

    async def _digest(self, key: tuple[Repository, str]) -> str:
        repository, tag = key
        async with self._turn(repository):
            return (await self._registry.head(repository.at(tag=tag))).digest

    async def _list(self, repository: Repository) -> tuple[str, ...]:
        async with self._turn(repository):
            return await self._registry.tags(repository)

    @asynccontextmanager
    async def _turn(self, repository: Repository) -> AsyncIterator[None]:
        """A turn to ask the registry of `repository`. Raises RegistryUnreachable when it is given up."""
        registry = repository.registry
        failures = self._failures.setdefault(registry, [])
        async with self._slots.setdefault(registry, asyncio.Semaphore(self._at_once)):
            if len(failures) >= GIVE_UP:
                last = failures[-1]
                raise RegistryUnreachable(last.what, where=str(repository), why=last.why, hint=last.hint)
            try:
                yield
            except RegistryUnreachable as error:
                failures.append(error)
                raise


class _Once(Generic[K, V]):
    """Asks once for each key, and gives everybody that answer, or that error."""

    def __init__(self, ask: Callable[[K], Awaitable[V]]) -> None:
        self._ask = ask
        self._asked: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K) -> V:
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(self._ask(key))
        return await self._asked[key]


class Schedule:
    """When to look again: about every `interval` seconds, so that many daemons do not come at once (±10 %).

    While a registry fails, half as often each time, down to once an hour.
    """

    LONGEST: Final = 3600.0

    def __init__(self, interval: float, random: Random) -> None:
        self._interval = interval
        self._random = random
        self._failures = 0

    def after(self, *, failed: bool) -> float:
        """Seconds until the next look."""
        self._failures = self._failures + 1 if failed else 0
        stretched = self._interval * 2.0 ** min(self._failures, 30)
        return max(self._interval, min(stretched, self.LONGEST)) * self._random.uniform(0.9, 1.1)
