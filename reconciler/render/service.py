"""expose → one Service for the workload."""

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.spec import Expose
from reconciler.render.refusal import Refusal


def service(
    workload: Identity, exposed: Iterable[Expose], selector: Mapping[str, str], pod: Mapping[str, Any]
) -> dict[str, Any]:
    """The Service named like the workload, whose pods have the spec `pod`. Entries of one port (two hosts, say) make
    one port of it.

    Raises Refusal where two entries of one port disagree about where it leads, or where it leads to no container.
    """
    ports: dict[tuple[int, str], dict[str, Any]] = {}
    for index, entry in enumerate(exposed):
        key = (entry.port, entry.protocol or "TCP")
        port: dict[str, Any] = {"name": port_name(entry), "port": entry.port}
        if entry.protocol is not None:
            port["protocol"] = entry.protocol
        if entry.target_port is not None:
            port["targetPort"] = entry.target_port
        _refuse_unknown(index, entry.target_port, pod)
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


def _refuse_unknown(index: int, target: int | str | None, pod: Mapping[str, Any]) -> None:
    """A name that no container gives to a port leads nowhere; a number need not be stated by any."""
    if not isinstance(target, str):
        return
    containers = [*pod["containers"], *pod.get("initContainers", ())]  # a sidecar is among the latter
    names = [port["name"] for each in containers for port in each.get("ports") or () if port.get("name")]
    if target not in names:
        known = f"they name {', '.join(dict.fromkeys(names))}" if names else "they name none"
        hint = f"{known}: name it in `ports`, or state its number"
        field = f"spec.expose[{index}].targetPort"
        raise Refusal("unknown-port", field, f'no container has a port named "{target}"', hint=hint)


def port_name(entry: Expose) -> str:
    """The stated name, else the name of the container's port, else one made of protocol and number."""
    if entry.name is not None:
        return entry.name
    if isinstance(entry.target_port, str):
        return entry.target_port
    return f"{(entry.protocol or 'TCP').lower()}-{entry.port}"
