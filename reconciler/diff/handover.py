"""How fields that a planner fills in change hands without a change of value (rule 6).

Dropping `replicas` from an apply resets it to 1, even beside an autoscaler that has not scaled yet. So before our own
apply drops such a field, a second field manager applies it with its live value and holds it from then on. As an apply
drops whatever its manager held and does not state again, each handover states all that this manager is to hold.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from reconciler.diff import managers
from reconciler.diff.paths import Path, keys_of, owns, step
from reconciler.kube.kinds import AUTOSCALER, CRON_JOB, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET
from reconciler.kube.names import GroupKind
from reconciler.kube.schema import Schema
from reconciler.model.change import Live
from reconciler.model.manifest import MANAGER, PLANNER_MANAGER, Manifest

Object = Mapping[str, Any]

_REPLICAS: Final = ("f:spec", "f:replicas")
_POD: Final = ("f:spec", "f:template", "f:spec")
_CRON_POD: Final = ("f:spec", "f:jobTemplate", "f:spec", "f:template", "f:spec")


def _resources(pod: Path) -> tuple[Path, ...]:
    return tuple((*pod, part, "k:", "f:resources") for part in ("f:containers", "f:initContainers"))


_PLANNED: Final[Mapping[GroupKind, tuple[Path, ...]]] = {
    DAEMON_SET: _resources(_POD),
    DEPLOYMENT: (_REPLICAS, *_resources(_POD)),
    REPLICA_SET: (_REPLICAS, *_resources(_POD)),
    STATEFUL_SET: (_REPLICAS, *_resources(_POD)),
    AUTOSCALER: (("f:spec", "f:minReplicas"),),
    CRON_JOB: _resources(_CRON_POD),
}  # "k:" stands for any item


def planned(kind: GroupKind, path: Path) -> bool:
    """Whether the field at `path`, or what it is part of, is one that a planner fills in."""
    return any(
        len(path) >= len(pattern)
        and all(part == wanted or wanted == "k:" == part[:2] for part, wanted in zip(path, pattern, strict=False))
        for pattern in _PLANNED.get(kind, ())
    )


def handover(manifest: Manifest, live: Live, schema: Schema, *, replicas: int | None = None) -> dict[str, Any] | None:
    """The object for `PLANNER_MANAGER` to apply, with force, before our own apply; None where nothing changes hands.

    It takes over planned fields that are solely ours and no longer stated, keeps those that it holds already, and lets
    go of those in a container that is going. A field that it holds and Git states again gets Git's value, so that our
    own apply meets no conflict; so do `replicas`, taken from whoever holds them.
    """
    kind = manifest.identity.group_kind
    ours, theirs = managers.applied(live, MANAGER), managers.applied(live, PLANNER_MANAGER)
    if kind not in _PLANNED or ours is None:
        return None
    held = {path for path in _leaves(theirs.fields) if planned(kind, path)} if theirs else set()
    others = [fields for name, fields in managers.others(live, MANAGER) if name != PLANNER_MANAGER]
    wanted: dict[Path, Any] = {}
    news = False
    taken = {_REPLICAS} if replicas is not None else set()
    for path in sorted(held | taken | {path for path in _leaves(ours.fields) if planned(kind, path)}):
        value, stated = _at(live.object, path, schema), _at(manifest.object, path, schema)
        if value is None or not _parent_stated(manifest.object, path, schema):
            continue
        if path in taken:
            wanted[path] = replicas
            news = news or replicas != value
        elif stated is None and (path in held or not any(owns(fields, path) for fields in others)):
            wanted[path] = value
        elif stated is not None and path in held and not owns(ours.fields, path):
            wanted[path] = stated
            news = news or stated != value
    return _build(manifest, wanted) if news or wanted.keys() != held else None


def awaken(manifest: Manifest, live: Live) -> bool:
    """Whether it has no pods, and nobody but Git or a planner has said so."""
    spec, others = live.object.get("spec") or {}, managers.others(live, MANAGER)
    said = any(owns(fields, _REPLICAS) for name, fields in others if name != PLANNER_MANAGER)
    return spec.get("replicas") == 0 and "replicas" not in manifest.object["spec"] and not said


def handing(manifest: Manifest) -> dict[str, Any]:
    """What the planner's field manager applies, before anything is in it."""
    identity = manifest.identity
    metadata = {"name": identity.name}
    if identity.namespace:
        metadata["namespace"] = identity.namespace
    return {"apiVersion": manifest.gvk.api_version, "kind": identity.kind, "metadata": metadata}


def _leaves(fields: Object, path: Path = ()) -> Iterator[Path]:
    """The fields of a FieldsV1 document that have no fields of their own."""
    for part, inside in fields.items():
        if part == ".":
            continue
        if any(inner != "." for inner in inside):
            yield from _leaves(inside, (*path, part))
        else:
            yield (*path, part)


def _at(value: Any, path: Path, schema: Schema) -> Any:
    for part in path:
        try:
            value, schema = step(value, schema, part)
        except KeyError:
            return None
    return value


def _parent_stated(desired: Object, path: Path, schema: Schema) -> bool:
    """Whether Git states the object, or the container, that the field belongs to."""
    container = next((n for n, part in enumerate(path, 1) if part.startswith("k:")), 0)
    return _at(desired, path[:container], schema) is not None


def _build(manifest: Manifest, wanted: Mapping[Path, Any]) -> dict[str, Any]:
    built = handing(manifest)
    for path, value in wanted.items():
        node: Any = built
        for part, following in pairwise(path):
            node = _enter(node, part, [] if following.startswith("k:") else {})
        node[path[-1][2:]] = value
    return built


def _enter(node: Any, part: str, empty: Any) -> Any:
    if part.startswith("f:"):
        return node.setdefault(part[2:], empty)
    keys = keys_of(part)
    for item in node:
        if all(item.get(name) == key for name, key in keys.items()):
            return item
    node.append(keys)
    return keys
