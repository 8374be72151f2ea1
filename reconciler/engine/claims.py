"""Which source states which object, across all sources of one daemon.

An object that moves between sources is applied by the new one before the old one would prune it (rule 2): the old one
sees that another source states it and lets go; the new one sees that the old one no longer states it and takes over.
"""

from collections.abc import Mapping

from reconciler.kube.names import Identity
from reconciler.model.manifest import Manifest


class Claims:
    """What every source last rendered. A source that has not rendered yet may state anything."""

    def __init__(self) -> None:
        self._stated: dict[str, Mapping[Identity, Manifest]] = {}

    def state(self, source: str, manifests: Mapping[Identity, Manifest]) -> None:
        self._stated[source] = manifests

    def forget(self, source: str) -> None:
        self._stated.pop(source, None)

    def others(self, identity: Identity, source: str) -> str | None:
        """Another source that states `identity`, or None."""
        return next((s for s, items in self._stated.items() if s != source and identity in items), None)

    def released(self, identity: Identity, source: str) -> bool:
        """Whether `source` is known here and no longer states `identity`."""
        stated = self._stated.get(source)
        return stated is not None and identity not in stated
