"""Which objects an autoscaler scales: what Git states of their `replicas` is left to it (rule 6).

Asked only where the live replicas are not as Git states them. KEDA scales through an autoscaler too.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.cluster.cluster import Cluster
from reconciler.errors import ApiError
from reconciler.kube.kinds import AUTOSCALER
from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.filled import REPLICAS
from reconciler.model.manifest import Manifest

_FRESH: Final = 5.0  # seconds that an answer counts
_SCALERS: Final = ("kube-controller-manager", "keda-operator", "keda")  # besides people, who scales through `scale`


class Autoscalers:
    """Remembers for a moment what was asked: somebody may change an object many times a second."""

    def __init__(self, cluster: Cluster, leaving: Callable[[Live], bool]) -> None:
        """`leaving` says of an autoscaler whether it is about to go: what it scaled is Git's again."""
        self._cluster = cluster
        self._leaving = leaving
        self._known: dict[str, tuple[float, list[Live] | None]] = {}

    async def scaled(self, manifests: Iterable[Manifest]) -> frozenset[Identity]:
        """Those of `manifests` whose replicas are another's: Git states them, live they differ, and one scales them.

        Where autoscalers may not be read, whoever set the replicas last tells.
        """
        asked = [m.identity for m in manifests if _differs(m, self._cluster.cache.get(m.identity))]
        if not asked:
            return frozenset()
        spaces = sorted({identity.namespace for identity in asked})
        targets = dict(zip(spaces, await asyncio.gather(*map(self._targets, spaces)), strict=True))
        return frozenset(identity for identity in asked if self._is_scaled(identity, targets[identity.namespace]))

    async def freed(self, manifest: Manifest) -> bool:
        """Whether no autoscaler scales it any more, while its live replicas are still one's."""
        live = self._cluster.cache.get(manifest.identity)
        if live is None or not _scaled_by_a_controller(live):
            return False
        targets = await self._targets(manifest.identity.namespace)
        return targets is not None and manifest.identity not in targets

    def _is_scaled(self, identity: Identity, targets: frozenset[Identity] | None) -> bool:
        if targets is not None:
            return identity in targets
        live = self._cluster.cache.get(identity)
        return live is not None and _scaled_by_a_controller(live)

    async def _targets(self, namespace: str) -> frozenset[Identity] | None:
        """What autoscalers of a namespace scale; None where that may not be read."""
        clock = self._cluster.server.clock
        when, found = self._known.get(namespace, (0.0, None))
        if namespace not in self._known or clock.monotonic() - when >= _FRESH:
            try:
                found = await self._cluster.list(AUTOSCALER, namespace) if AUTOSCALER in self._cluster.kinds else None
            except ApiError:
                found = None
            self._known[namespace] = (clock.monotonic(), found)
        if found is None:
            return None
        return frozenset(_target(live) for live in found if not self._leaving(live))  # as of this very commit


def leaving_replicas(manifest: Manifest) -> Manifest:
    """The manifest, its replicas neither compared nor changed."""
    return replace(manifest, policy=replace(manifest.policy, ignore=(*manifest.policy.ignore, REPLICAS)))


def _target(autoscaler: Live) -> Identity:
    target: Mapping[str, Any] = (autoscaler.object.get("spec") or {}).get("scaleTargetRef") or {}
    group = str(target.get("apiVersion") or "").rpartition("/")[0]
    return Identity(group, str(target.get("kind")), autoscaler.identity.namespace, str(target.get("name")))


def _differs(manifest: Manifest, live: Live | None) -> bool:
    spec = manifest.object.get("spec")
    stated = spec.get("replicas") if isinstance(spec, Mapping) else None
    if not isinstance(stated, int) or live is None:
        return False
    there = live.object.get("spec")
    return isinstance(there, Mapping) and there.get("replicas") != stated


def _scaled_by_a_controller(live: Live) -> bool:
    return any(
        entry.get("manager") in _SCALERS and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in live.metadata.get("managedFields") or ()
    )
