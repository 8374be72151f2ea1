"""Dry-runs of who may perhaps only read: that we may not is learned once, not object by object."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeGuard

from reconciler.cluster.cluster import Cluster
from reconciler.errors import ApiError, Forbidden
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Live

_LASTING: Final = 3600.0  # seconds: somebody may give us the right
_MOST: Final = 10_000  # places that are remembered


class DryRun(Protocol):
    async def __call__(self, obj: Mapping[str, Any], *, force: bool) -> Live:
        """What the server would make of `obj`. Raises ApiError or TransportError."""
        ...


class _Where(NamedTuple):
    """What rights are given for: who may patch may not always create."""

    kind: GroupKind
    namespace: str
    exists: bool


class DryRuns:
    """Implements DryRun. Of each kind and namespace one object is asked about first; where it is our rights that are
    missing, all others there get the same answer unasked, for an hour."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clock = cluster.server.clock
        self._granted: set[_Where] = set()
        self._refused: dict[_Where, tuple[float, Forbidden]] = {}
        self._turns: dict[_Where, asyncio.Lock] = {}

    async def __call__(self, obj: Mapping[str, Any], *, force: bool) -> Live:
        identity = Identity.of(obj)
        where = _Where(identity.group_kind, identity.namespace, self._cluster.cache.get(identity) is not None)
        if where in self._granted:
            return await self._ask(where, obj, force)
        async with self._turns.setdefault(where, asyncio.Lock()):
            at, error = self._refused.get(where, (0.0, None))
            if error is not None and self._clock.monotonic() - at < _LASTING:
                raise error.with_traceback(None)
            return await self._ask(where, obj, force)

    async def _ask(self, where: _Where, obj: Mapping[str, Any], force: bool) -> Live:
        try:
            made = await self._cluster.apply(obj, force=force, dry_run=True)
        except ApiError as error:
            if may_not_ask(error):
                self._granted.discard(where)
                self._refused[where] = self._clock.monotonic(), error
            else:
                self._grant(where)
            raise
        self._grant(where)
        return made

    def _grant(self, where: _Where) -> None:
        if len(self._granted) + len(self._refused) >= _MOST:
            self._granted.clear()
            self._refused.clear()
            self._turns = {place: turn for place, turn in self._turns.items() if turn.locked()}
        self._granted.add(where)


def may_not_ask(error: ApiError) -> TypeGuard[Forbidden]:
    """Whether it is our rights that are missing: a quota, or a webhook that denies, is a 403 too."""
    return isinstance(error, Forbidden) and any(f"cannot {verb} resource" in error.what for verb in ("patch", "create"))
