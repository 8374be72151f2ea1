"""What the server serves, told in the two forms that clients ask for: one document a group, or all at once."""

from typing import Any, Final

from reconciler.kube.resources import Subresource
from reconciler.sandbox.registry import Kind, Registry

Value = dict[str, Any]

_SERVER_ADDRESSES: Final = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
_NOT_HERE: Final = frozenset(
    ("attach", "ephemeralcontainers", "exec", "portforward", "proxy", "resize")
)  # no containers


def api_versions() -> Value:
    """`/api`."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": _SERVER_ADDRESSES}


def group_list(registry: Registry) -> Value:
    """`/apis`."""
    groups = [group(registry, name) for name in registry.groups() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_without_kind(item) for item in groups if item]}


def _without_kind(value: Value) -> Value:
    return {name: part for name, part in value.items() if name not in ("kind", "apiVersion")}


def group(registry: Registry, name: str) -> Value | None:
    """`/apis/<group>`; None where it is not served."""
    versions = registry.groups().get(name)
    if not versions:
        return None
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> Value | None:
    """`/api/v1` and `/apis/<group>/<version>`; None where it is not served."""
    kinds = registry.in_version(group_name, version)
    if not kinds:
        return None
    resources: list[Value] = []
    for kind in kinds:
        resources.append(_resource(kind))
        resources.extend(_subresource(kind, sub) for sub in _subresources(kind))
    text = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": text, "resources": resources}


def _subresources(kind: Kind) -> list[Subresource]:
    return [kind.subresources[name] for name in sorted(kind.subresources) if name not in _NOT_HERE]


def _resource(kind: Kind) -> Value:
    resource = kind.resource
    found: Value = {
        "name": kind.plural,
        "singularName": resource.singular,
        "namespaced": kind.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    return found


def _subresource(kind: Kind, sub: Subresource) -> Value:
    found: Value = {
        "name": f"{kind.plural}/{sub.name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }
    if (sub.group, sub.version) != (kind.group, kind.version) and sub.group != kind.group:
        found["group"], found["version"] = sub.group, sub.version
    return found


def aggregated(registry: Registry, *, core: bool) -> Value:
    """`/api` or `/apis` with everything below it: APIGroupDiscoveryList v2."""
    items = []
    for name, versions in registry.groups().items():
        if bool(name) is core:
            continue
        listed = [
            {"version": version, "resources": _aggregated_version(registry, name, version), "freshness": "Current"}
            for version in versions
        ]
        items.append({"metadata": {"name": name, "creationTimestamp": None} if name else {}, "versions": listed})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_version(registry: Registry, group_name: str, version: str) -> list[Value]:
    return [_aggregated_resource(kind) for kind in registry.in_version(group_name, version)]


def _aggregated_resource(kind: Kind) -> Value:
    resource = kind.resource
    found: Value = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": resource.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    subresources = [
        {
            "subresource": sub.name,
            "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
            "verbs": list(sub.verbs),
        }
        for sub in _subresources(kind)
    ]
    if subresources:
        found["subresources"] = subresources
    return found
