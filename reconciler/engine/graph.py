"""In which order changes go out: a graph, not waves.

An object waits for what it depends on, and for nothing else. By reference (a mounted ConfigMap, its Namespace, its
CustomResourceDefinition) it waits until that is applied and usable; by an explicit dependsOn until that is ready.
Deletions go the other way round: a dependent goes before what it depends on, and all of them after the changes that
replace them.
"""

from collections.abc import Collection, Iterable, Mapping

from reconciler.kube.names import Identity
from reconciler.model.change import Change
from reconciler.model.manifest import Manifest

# The order in which objects start when nothing else decides: what others need first comes first. Not a barrier.
_RANK = {
    kind: rank
    for rank, kinds in enumerate(
        (
            ("Namespace",),
            ("CustomResourceDefinition", "PriorityClass", "StorageClass", "IngressClass", "RuntimeClass"),
            ("ServiceAccount", "ClusterRole", "Role", "ResourceQuota", "LimitRange", "NetworkPolicy"),
            ("ClusterRoleBinding", "RoleBinding", "Secret", "ConfigMap", "PersistentVolume"),
            ("PersistentVolumeClaim", "Service", "PodDisruptionBudget"),
        )
    )
    for kind in kinds
}
_LAST = len(set(_RANK.values()))


def rank(identity: Identity) -> int:
    """Where an object's kind stands in the default order; lower starts earlier."""
    return _RANK.get(identity.kind, _LAST)


def stated(change: Change, manifests: Mapping[Identity, Manifest]) -> Manifest:
    """What is written, with the place in the order that it has for this once."""
    return change.manifest or manifests[change.identity]


def waits(change: Change, manifests: Mapping[Identity, Manifest]) -> set[Identity]:
    """All that a write waits for."""
    manifest = stated(change, manifests)
    return {*manifest.depends_on, *manifest.after, *change.once}


def beside(deletion: Change, unsure: Collection[str]) -> str:
    """Why it is to wait where changes failed in the namespaces `unsure`; "" where it need not."""
    space = deletion.identity.namespace
    waits = space in unsure or (unsure and not space)
    return "waits until the changes beside it have succeeded" if waits else ""


def cycles(waits: Mapping[Identity, Iterable[Identity]]) -> list[tuple[Identity, ...]]:
    """Groups of objects that wait for each other, each as one loop in order. Objects in several loops count once."""
    found: list[tuple[Identity, ...]] = []
    state: dict[Identity, bool] = {}  # False: on the path that is being followed, True: left behind
    for start in sorted(waits):
        if start in state:
            continue
        path = [start]
        state[start] = False
        rest = [iter(sorted(waits[start]))]
        while path:
            other = next(rest[-1], None)
            if other is None:
                state[path.pop()] = True
                rest.pop()
            elif other not in state:
                path.append(other)
                state[other] = False
                rest.append(iter(sorted(waits.get(other, ()))))
            elif not state[other]:
                found.append(tuple(path[path.index(other) :]))
    return found
