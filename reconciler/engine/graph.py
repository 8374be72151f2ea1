"""In which order changes go out: a graph, not waves.

An object waits for what it depends on, and for nothing else. By reference (a mounted ConfigMap, its Namespace, its
CustomResourceDefinition) it waits until that is applied and usable; by an explicit dependsOn until that is ready.
Deletions go the other way round: a dependent goes before what it depends on, and all of them after the changes that
replace them.
"""

from collections.abc import Iterable, Mapping

from reconciler.kube.names import Identity
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


def dependencies(manifests: Mapping[Identity, Manifest], wanted: Iterable[Identity]) -> dict[Identity, set[Identity]]:
    """For each of `wanted`, what it waits for among `manifests`.

    A dependency on something that is in no source is left to Kubernetes: its pods wait for a ConfigMap by themselves.
    """
    return {
        identity: {other for other in manifests[identity].depends_on if other in manifests and other != identity}
        for identity in wanted
    }


def cycle(edges: Mapping[Identity, set[Identity]]) -> tuple[Identity, ...]:
    """The objects of one cycle in order, or () when there is none."""
    done: set[Identity] = set()
    for start in sorted(edges):
        path: list[Identity] = []
        on_path: set[Identity] = set()
        stack: list[tuple[Identity, list[Identity]]] = [(start, sorted(edges.get(start, ())))]
        while stack:
            node, rest = stack[-1]
            if node not in on_path:
                path.append(node)
                on_path.add(node)
            step = next((other for other in iter(rest) if other not in done), None)
            if step is None:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
                continue
            rest.remove(step)
            if step in on_path:
                return tuple(path[path.index(step) :])
            stack.append((step, sorted(edges.get(step, ()))))
    return ()
