"""Pairs that were found equal: a manifest, by its digest, and the state of an object, by its resourceVersion."""

from collections.abc import Mapping

from reconciler.kube.names import Identity
from reconciler.model.manifest import Manifest


class Equals:
    """One source's memory of them, so that a pass looks only at what changed since the last one."""

    def __init__(self) -> None:
        self._known: dict[Identity, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def note(self, manifest: Manifest, version: str) -> None:
        """The object at resourceVersion `version` is what `manifest` states."""
        self._known[manifest.identity] = (manifest.digest, version)

    def holds(self, manifest: Manifest, version: str) -> bool:
        """Whether the object at `version` is known to be what `manifest` states."""
        return self._known.get(manifest.identity) == (manifest.digest, version)

    def met(self, manifest: Manifest) -> bool:
        """Whether the object was once found, or made, as `manifest` states it."""
        return self._known.get(manifest.identity, ("", ""))[0] == manifest.digest

    def forget(self, manifests: Mapping[Identity, Manifest]) -> None:
        """Keep nothing about objects that are not among `manifests`."""
        if len(self._known) > len(manifests):
            self._known = {identity: pair for identity, pair in self._known.items() if identity in manifests}
