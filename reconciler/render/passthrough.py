"""Any other Kubernetes object: applied as it stands, but for what only a cluster can say of it."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from reconciler.kube.kinds import CLAIM, DEPLOYMENT, RBAC, REPLICA_SET, REPLICATION_CONTROLLER, SECRET, STATEFUL_SET
from reconciler.kube.names import GroupKind
from reconciler.render.image import Resolver
from reconciler.render.podspec import TEMPLATES

JsonObject = dict[str, Any]

# Labels and annotations are the stamp's business. The rest stands in files made with `kubectl get -o yaml`: the server
# fills it in, and applying it is refused or never settles.
_LEFT_OUT: Final = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "labels",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
SCALABLE: Final = frozenset(
    {
        REPLICATION_CONTROLLER,
        DEPLOYMENT,
        REPLICA_SET,
        STATEFUL_SET,
    }
)


def passthrough(obj: Mapping[str, Any], group_kind: GroupKind, resolver: Resolver, *, scaled: bool) -> dict[str, Any]:
    """The object to apply for `obj`, which is not changed.

    Left out: status and other fields of the server; the rules of an aggregated ClusterRole, which its controller
    owns; replicas where an autoscaler of the source owns them (`scaled`); a claim's empty volumeName, which says that
    any volume will do and would be refused once there is one. An Image by name in a workload's containers
    becomes its reference. A Secret's `stringData` goes into its `data`, as the server would store it: a key that is
    applied as `stringData` could never be taken away again.
    """
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _LEFT_OUT}
    made = {name: value for name, value in obj.items() if name != "status"} | {"metadata": metadata}
    if group_kind == GroupKind(RBAC, "ClusterRole") and "aggregationRule" in made:
        made.pop("rules", None)
    if (
        group_kind == SECRET
        and isinstance(data := made.get("data") or {}, Mapping)
        and isinstance(text := made.pop("stringData", None), Mapping)
        and text
    ):
        made["data"] = {**data, **{key: _base64(value) for key, value in text.items()}}
    if group_kind == CLAIM:
        made = _inside(made, ("spec",), lambda spec: {k: v for k, v in spec.items() if k != "volumeName" or v})
    if scaled and group_kind in SCALABLE and isinstance(made.get("spec"), Mapping):
        made["spec"] = {name: value for name, value in made["spec"].items() if name != "replicas"}
    if (path := TEMPLATES.get(group_kind)) is not None:
        made = _inside(made, (*path, "spec"), lambda spec: _containers(spec, resolver))
    return made


def _base64(value: Any) -> str:
    return base64.b64encode(str(value).encode()).decode()


def _inside(obj: JsonObject, path: tuple[str, ...], change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """`obj` with the object at `path` changed; as it is where there is none."""
    if not path:
        return change(obj)
    inner = obj.get(path[0])
    return {**obj, path[0]: _inside(inner, path[1:], change)} if isinstance(inner, dict) else obj


def _containers(spec: JsonObject, resolver: Resolver) -> JsonObject:
    made = dict(spec)
    for field in ("containers", "initContainers"):
        if isinstance(containers := spec.get(field), list):
            made[field] = [_container(container, resolver) for container in containers]
    return made


def _container(container: Any, resolver: Resolver) -> Any:
    if not isinstance(container, dict) or not isinstance(image := container.get("image"), str):
        return container
    return {**container, "image": resolver.resolve(image)}
