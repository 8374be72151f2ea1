"""Fields that Git states and that are left to others all the same: nobody who puts them there means to drift.

What is written here holds without anybody's rule (docs/drift.md): restarts, certificates that are injected, what a
cluster adds to a ServiceAccount.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from reconciler.diff.managers import applied, others
from reconciler.diff.paths import Path, owns, step
from reconciler.kube.schema import Schema
from reconciler.model.change import Live
from reconciler.model.manifest import MANAGER, PLANNER_MANAGER

Object = Mapping[str, Any]

_RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"
_INJECTED: Final = frozenset(
    {
        "cert-manager.io/inject-apiserver-ca",
        "cert-manager.io/inject-ca-from",
        "cert-manager.io/inject-ca-from-secret",
        "service.beta.openshift.io/inject-cabundle",
    }
)  # annotations that ask somebody to fill in the certificates


def left_to_others(desired: Object, live: Object) -> tuple[str, ...]:
    """JSON pointers to such fields of `desired`, beside the object as it is."""
    found = _KINDS.get(str(desired.get("kind") or ""))
    return tuple(found(desired, live)) if found is not None else ()


def owned_by(managers: Iterable[str], desired: Object, live: Object, schema: Schema) -> tuple[Path, ...]:
    """The paths of all fields of `desired` that managers with such names (globs) own in `live`."""
    globs = tuple(managers)
    found: set[Path] = set()
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if any(fnmatchcase(str(entry.get("manager") or ""), glob) for glob in globs):
            found.update(_members((), entry.get("fieldsV1") or {}))
    return tuple(sorted(path for path in found if _states(desired, path, schema)))


def set_by_others(planned: Iterable[str], live: Live) -> Iterator[str]:
    """Those of the JSON pointers `planned` whose field somebody else set since: who scales by hand has it (rule 6)."""
    for pointer in planned:
        path = tuple(f"f:{name}" for name in pointer.split("/")[1:])
        ours = applied(live, MANAGER)
        if ours is not None and owns(ours.fields, path):
            continue
        if any(owns(fields, path) for name, fields in others(live, MANAGER) if name != PLANNER_MANAGER):
            yield pointer


def _states(desired: Any, path: Path, schema: Schema) -> bool:
    try:
        for part in path:
            desired, schema = step(desired, schema, part)
    except KeyError:
        return False
    return True


def _members(path: Path, node: Mapping[str, Any]) -> Iterator[Path]:
    inside = [part for part in node if part != "."]
    if path and not inside:
        yield path
    for part in inside:
        yield from _members((*path, part), node[part])


def _restarts(desired: Object, _live: Object) -> Iterator[str]:
    """`kubectl rollout restart` sets an annotation, which a file made with `kubectl get` states as it once was."""
    if _RESTARTED in (_at(desired, "spec", "template", "metadata", "annotations") or {}):
        yield f"/spec/template/metadata/annotations/{_RESTARTED.replace('/', '~1')}"


def _of_webhooks(desired: Object, _live: Object) -> Iterator[str]:
    for number, webhook in enumerate(desired.get("webhooks") or ()):
        if _is_injected(desired, _at(webhook, "clientConfig")):
            yield f"/webhooks/{number}/clientConfig/caBundle"


def _of_conversion(desired: Object, _live: Object) -> Iterator[str]:
    if _is_injected(desired, _at(desired, "spec", "conversion", "webhook", "clientConfig")):
        yield "/spec/conversion/webhook/clientConfig/caBundle"


def _of_service(desired: Object, _live: Object) -> Iterator[str]:
    if _is_injected(desired, desired.get("spec")):
        yield "/spec/caBundle"


def _is_injected(desired: Object, config: Any) -> bool:
    """Whether Git states a caBundle that somebody else is to fill in: an empty one, or with an annotation that asks."""
    if not isinstance(config, Mapping) or "caBundle" not in config:
        return False
    asked = not _INJECTED.isdisjoint(_at(desired, "metadata", "annotations") or ())
    return asked or _is_blank(config["caBundle"])


def _is_blank(text: Any) -> bool:
    """Whether base64 `text` holds nothing: charts state a line's end, which schemas take for a value."""
    try:
        return not base64.b64decode("".join(str(text or "").split()), validate=True).strip()
    except binascii.Error:
        return False


def _of_account(desired: Object, live: Object) -> Iterator[str]:
    """The cluster adds tokens and registries' passwords to those that Git states."""
    for name in ("imagePullSecrets", "secrets"):
        stated, there = desired.get(name), live.get(name)
        if isinstance(stated, list) and isinstance(there, list) and all(item in there for item in stated):
            yield f"/{name}"


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


_KINDS: Final[Mapping[str, Callable[[Object, Object], Iterator[str]]]] = {
    "APIService": _of_service,
    "CustomResourceDefinition": _of_conversion,
    "DaemonSet": _restarts,
    "Deployment": _restarts,
    "MutatingWebhookConfiguration": _of_webhooks,
    "ServiceAccount": _of_account,
    "StatefulSet": _restarts,
    "ValidatingWebhookConfiguration": _of_webhooks,
}
