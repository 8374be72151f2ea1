"""Which source states which object, across all sources of one daemon.

An object that moves between sources is applied by the new one before the old one would prune it (rule 2): the old one
sees that another source states it, or may state it, and lets go; the new one sees that the old one no longer states it
and takes over. Whoever waits for another source is woken when that source states something else than before.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from reconciler.kube.names import Identity
from reconciler.model.manifest import Manifest


@dataclass(frozen=True, slots=True)
class _Stated:
    manifests: Mapping[Identity, Manifest]
    certain: bool
    commit: str


class Claims:
    """What every source last rendered. A source that was not read yet may state anything."""

    def __init__(self) -> None:
        self._stated: dict[str, _Stated] = {}
        self._unread: set[str] = set()
        self._resting: set[str] = set()
        self._origins: dict[str, tuple[str, str]] = {}
        self._wake: dict[str, Callable[[], None]] = {}

    def join(self, source: str, origin: tuple[str, str], wake: Callable[[], None]) -> None:
        """Say that there is `source`, from `origin` (URL and ref). `wake` is called when others state something new."""
        self._unread.add(source)
        self._origins[source] = origin
        self._wake[source] = wake

    def state(
        self, source: str, manifests: Mapping[Identity, Manifest], *, commit: str = "", certain: bool = True
    ) -> None:
        """Say what `source` states as of `commit`. Not `certain`: it may state more, in documents that are broken."""
        before = self._stated.get(source)
        self._unread.discard(source)
        self._resting.discard(source)
        self._stated[source] = _Stated(manifests, certain, commit)
        if (
            before is None
            or (before.certain, before.commit) != (certain, commit)
            or before.manifests.keys() != manifests.keys()
        ):
            self._tell_others(source)

    def rests(self, source: str) -> None:
        """Say that `source` does not follow its repository for now (suspended, unreachable): nobody waits for it."""
        if source not in self._resting:
            self._resting.add(source)
            self._tell_others(source)

    def forget(self, source: str) -> None:
        for known in (self._stated, self._origins, self._wake):
            known.pop(source, None)
        self._unread.discard(source)
        self._resting.discard(source)

    def others(self, identity: Identity, source: str) -> str | None:
        """Another source that states `identity`, or None."""
        return next((s for s, each in self._stated.items() if s != source and identity in each.manifests), None)

    def behind(self, source: str, commit: str) -> Collection[str]:
        """Other sources that may state, at present, more than is known of them here.

        Those that were not read yet, and those of the same repository that have not come to `commit`.
        """
        origin = self._origins.get(source)
        late = {
            other
            for other, each in self._stated.items()
            if other != source and self._origins.get(other) == origin and each.commit != commit
        }
        return (self._unread | late) - {source} - self._resting

    def released(self, identity: Identity, source: str) -> bool:
        """Whether `source` is known here and no longer states `identity`."""
        stated = self._stated.get(source)
        return stated is not None and stated.certain and identity not in stated.manifests

    def _tell_others(self, source: str) -> None:
        for other, wake in tuple(self._wake.items()):
            if other != source:
                wake()
