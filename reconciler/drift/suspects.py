"""Objects that somebody should look at, each as it was when it was last thought to be well."""

from collections.abc import Collection, Mapping
from typing import Final

from reconciler.cluster.cache import Packed
from reconciler.kube.names import Identity

_KEPT: Final = 2000  # suspects whose state before is known

Batch = Mapping[Identity, Packed | None]


class Suspects:
    """In the order in which they came. An object that changes often counts once, with its state before the first."""

    def __init__(self) -> None:
        self._before: dict[Identity, Packed | None] = {}

    def __len__(self) -> int:
        return len(self._before)

    def add(self, identity: Identity, before: Packed | None = None) -> None:
        if len(self._before) >= _KEPT:
            before = None  # a long pass makes every object a suspect, and what it was costs memory
        if self._before.setdefault(identity, before) is None:
            self._before[identity] = before

    def take(self, most: int, *, without: Collection[Identity] = ()) -> Batch:
        """Up to `most` of them, which are suspects no longer."""
        taken: dict[Identity, Packed | None] = {}
        for identity, before in self._before.items():
            if len(taken) == most:
                break
            if identity not in without:
                taken[identity] = before
        for identity in taken:
            del self._before[identity]
        return taken

    def put_back(self, batch: Batch) -> None:
        """They were not looked at. What was seen meanwhile is later than what is known of them here."""
        self._before = {**batch, **{i: before for i, before in self._before.items() if batch.get(i) is None}}

    def forget(self, stated: Collection[Identity]) -> None:
        """Keep only what is among `stated`."""
        self._before = {identity: before for identity, before in self._before.items() if identity in stated}
