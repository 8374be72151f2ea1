"""Values that have one owner as a whole: scalars, atomic maps and lists, and whatever has no schema.

Inside them managedFields says nothing about single fields, yet the server fills in defaults there too: a stated
`fieldRef: {fieldPath: metadata.name}` comes back with `apiVersion: v1`. Somebody else's change of such a value takes
the whole of it from us, so it is noticed by ownership; what remains to be told apart is a default from a field that
Git stated before and no longer does.
"""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.kube.compare import is_absent, same
from reconciler.kube.schema import Schema, Shape

_FILLED_IN: Final[Mapping[str, tuple[Any, ...]]] = {
    "apiGroup": ("rbac.authorization.k8s.io",),  # subjects and roleRef
    "apiVersion": ("v1",),  # fieldRef, volumeClaimTemplates
    "creationTimestamp": (None,),
    "divisor": ("0",),  # resourceFieldRef
    "expirationSeconds": (3600,),  # projected serviceAccountToken
    "kind": ("PersistentVolumeClaim",),  # volumeClaimTemplates
    "phase": ("Pending",),  # volumeClaimTemplates
    "port": (443,),  # a webhook's service
    "protocol": ("TCP",),  # a NetworkPolicy's ports
    "scope": ("*",),  # rules of admission webhooks and policies
    "status": ("True",),  # a Job's podFailurePolicy
    "volumeMode": ("Filesystem",),  # volumeClaimTemplates
}  # defaults inside atomic values of Kubernetes' own kinds that the published description does not state
_OF_POLICIES: Final[Mapping[str, tuple[Any, ...]]] = {
    "matchPolicy": ("Equivalent",),
    "namespaceSelector": ({},),
    "objectSelector": ({},),
}  # the same, of what an admission policy matches: elsewhere an empty selector and none are two things
_PER_RESOURCE: Final[Mapping[str, tuple[str, ...]]] = {
    "default": ("max",),
    "defaultRequest": ("default", "max", "min"),
}  # where a LimitRange takes from what it does not state


def holds(desired: Any, live: Any, schema: Schema) -> bool:
    """Whether `live` is `desired`, up to other spellings of the same value and defaults that the server filled in."""
    if isinstance(desired, dict) and isinstance(live, dict):
        return _map_holds(desired, live, schema)
    if isinstance(desired, list) and isinstance(live, list):
        inner = schema.item
        return len(desired) == len(live) and all(holds(d, v, inner) for d, v in zip(desired, live, strict=True))
    return same(desired, live, schema)


def _map_holds(desired: Mapping[str, Any], live: Mapping[str, Any], schema: Schema) -> bool:
    if "maxLimitRequestRatio" in schema.fields and desired.get("type") == "Container":
        # An object that no server has seen, only somebody's statement of it, has nothing derived.
        return any(_members_hold(each, live, schema) for each in (_completed(desired), desired))
    return _members_hold(desired, live, schema)


def _members_hold(desired: Mapping[str, Any], live: Mapping[str, Any], schema: Schema) -> bool:
    for name, value in desired.items():
        there, known = live.get(name), schema.member(name)
        if there is None:
            if not _left_out(value, known):
                return False
        elif not holds(value, there, known):
            return False
    return all(_filled_in(name, value, schema) for name, value in live.items() if desired.get(name) is None)


def _left_out(value: Any, schema: Schema) -> bool:
    """Whether the server stores nothing for `value`. An empty object means something: `podSelector: {}` is all pods."""
    return is_absent(value, schema) or (schema.shape is Shape.SCALAR and (value is False or value == ""))


def _filled_in(name: str, value: Any, schema: Schema) -> bool:
    """Whether the server may have put `value` there by itself."""
    known = schema.fields.get(name) if schema.shape is Shape.STRUCT else None
    if value is None:
        return True
    if known is None:
        return False
    if "resourceRules" in schema.fields and value in _OF_POLICIES.get(name, ()):
        return True
    if isinstance(value, dict):
        return name in schema.always and all(_filled_in(inner, part, known) for inner, part in value.items())
    return (known.has_default and same(value, known.default, known)) or value in _FILLED_IN.get(name, ())


def _completed(limits: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a LimitRange states of containers, with what the server derives from it."""
    made = dict(limits)
    for name, sources in _PER_RESOURCE.items():
        stated = [part for source in (name, *sources) if isinstance(part := made.get(source), Mapping)]
        if stated:
            made[name] = {resource: amount for part in reversed(stated) for resource, amount in part.items()}
    return made
