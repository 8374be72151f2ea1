"""expose → one Service for the workload."""

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.spec import Expose
from reconciler.render.refusal import Refusal


def service(workload: Identity, exposed: Iterable[Expose], selector: Mapping[str, str]) -> dict[str, Any]:
    """The Service named like the workload. Entries of one port (two hosts, say) make one port of it.

    Raises Refusal where two entries of one port disagree about where it leads.
    """
    ports: dict[tuple[int, str], dict[str, Any]] = {}
    for index, entry in enumerate(exposed):
        key = (entry.port, entry.protocol or "TCP")
        port: dict[str, Any] = {"name": port_name(entry), "port": entry.port}
        if entry.protocol is not None:
            port["protocol"] = entry.protocol
        if entry.target_port is not None:
            port["targetPort"] = entry.target_port
        if ports.setdefault(key, port) != port:
            message = f"port {entry.port} is exposed twice and leads to different places"
            raise Refusal("port-twice", f"spec.expose[{index}]", message)
    names = [port["name"] for port in ports.values()]
    for name in names:
        if names.count(name) > 1:
            hint = "give each its own name"
            raise Refusal("port-name-twice", "spec.expose", f'two ports are named "{name}"', hint=hint)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": {"selector": dict(selector), "ports": list(ports.values())},
    }


def port_name(entry: Expose) -> str:
    """The stated name, else the name of the container's port, else one made of protocol and number."""
    if entry.name is not None:
        return entry.name
    if isinstance(entry.target_port, str):
        return entry.target_port
    return f"{(entry.protocol or 'TCP').lower()}-{entry.port}"
