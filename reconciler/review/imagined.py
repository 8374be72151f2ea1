"""A cluster that is as the base says: what a plan is compared with where no cluster may be asked.

Objects are imagined as our own apply would have left them, in the server's spelling, healthy, Jobs done and claims
bound. Each is made when somebody looks.
"""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.engine.schemas import Schemas
from reconciler.kube import apply
from reconciler.kube.compare import as_stored
from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.manifest import MANAGER, Manifest
from reconciler.review.risks.case import mapping

_TIME: Final = "2000-01-01T00:00:00Z"
_VERSION: Final = "1"


class Imagined:
    """What the engine's rules ask of a cache, told by the manifests of one source."""

    def __init__(self, manifests: Mapping[Identity, Manifest], schemas: Schemas) -> None:
        self._manifests = manifests
        self._schemas = schemas

    def __contains__(self, identity: object) -> bool:
        return identity in self._manifests

    def marked(self, _source: str) -> list[Identity]:
        return sorted(self._manifests)

    def get(self, identity: Identity) -> Live | None:
        manifest = self._manifests.get(identity)
        if manifest is None:
            return None
        schema = self._schemas.of(manifest.gvk)
        try:
            made = apply.apply(
                None, manifest.object, schema, manager=MANAGER, api_version=manifest.gvk.api_version, time=_TIME
            ).object
        except apply.ApplyError:  # which no server would take: it cannot be there
            return None
        metadata = {**made["metadata"], "uid": f"base:{identity}", "resourceVersion": _VERSION, "generation": 1}
        obj = {**as_stored(made, schema), "metadata": metadata}
        if (status := _status(identity.kind, mapping(obj.get("spec")))) is not None:
            obj["status"] = status
        return Live(identity, obj)


def _status(kind: str, spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of a workload whose roll-out has ended, of a Job that is done, and of a claim that has its volume."""
    if kind in ("Deployment", "StatefulSet"):
        replicas = spec.get("replicas", 1)
        counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        return {"observedGeneration": 1, **dict.fromkeys(counts, replicas)}
    if kind == "DaemonSet":
        return {"observedGeneration": 1, "desiredNumberScheduled": 0}
    if kind == "PersistentVolumeClaim":
        return {"phase": "Bound"}
    if kind == "Job":
        done = {"type": "Complete", "status": "True", "lastTransitionTime": _TIME}
        return {"succeeded": 1, "conditions": [done]}
    return None
