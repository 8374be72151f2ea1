"""expose with a host → an Ingress."""

from collections.abc import Iterable
from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.spec import Expose
from reconciler.render.stamp import canonical


def ingresses(workload: Identity, exposed: Iterable[Expose]) -> list[dict[str, Any]]:
    """One Ingress named like the workload; further ones, `<name>-2` and so on, for entries that differ in class or
    annotations, since both hold for a whole Ingress."""
    groups: dict[bytes, list[Expose]] = {}
    for entry in exposed:
        if entry.host is not None:
            groups.setdefault(canonical((entry.class_name, entry.annotations)), []).append(entry)
    names = [workload.name, *(f"{workload.name}-{n}" for n in range(2, len(groups) + 1))]
    return [_ingress(workload, name, group) for name, group in zip(names, groups.values(), strict=False)]


def _ingress(workload: Identity, name: str, entries: list[Expose]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": workload.namespace}
    if entries[0].annotations:
        metadata["annotations"] = dict(entries[0].annotations)
    paths: dict[str, list[dict[str, Any]]] = {}
    secrets: dict[str, list[str]] = {}
    for entry in entries:
        host = entry.host or ""
        backend = {"service": {"name": workload.name, "port": {"number": entry.port}}}
        paths.setdefault(host, []).append({"path": entry.path or "/", "pathType": "Prefix", "backend": backend})
        if entry.tls is not None and host not in secrets.setdefault(entry.tls, []):
            secrets[entry.tls].append(host)
    spec: dict[str, Any] = {"rules": [{"host": host, "http": {"paths": found}} for host, found in paths.items()]}
    if secrets:
        spec["tls"] = [{"hosts": hosts, "secretName": secret} for secret, hosts in secrets.items()]
    if entries[0].class_name is not None:
        spec["ingressClassName"] = entries[0].class_name
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}
