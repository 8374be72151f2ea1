"""Services and what leads to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox.tables.column import AGE, NAME, NONE, Column, at, dig, joined, labels_text, selector

Value = dict[str, Any]


def _balancer(value: Value) -> str:
    found = dig(value, "status", "loadBalancer", "ingress") or ()
    return ",".join(item.get("ip") or item.get("hostname") or "" for item in found)


def _external(service: Value, _now: datetime) -> str:
    spec = service["spec"]
    kind = spec.get("type")
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    own = list(spec.get("externalIPs") or ())
    if kind == "LoadBalancer":
        balancer = _balancer(service)
        return ",".join([*([balancer] if balancer else []), *own]) or "<pending>"
    return joined(own)


def _ports(service: Value, _now: datetime) -> str:
    texts = []
    for port in service["spec"].get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port.get('port')}{node}/{port.get('protocol')}")
    return joined(texts)


def _hosts(ingress: Value, _now: datetime) -> str:
    hosts = [rule.get("host") or "*" for rule in ingress["spec"].get("rules") or ()]
    if not any(host != "*" for host in hosts):
        return "*"
    shown = hosts[:3]
    return ",".join(shown) + (f" + {len(hosts) - 3} more..." if len(hosts) > 3 else "")


def _ingress_ports(ingress: Value, _now: datetime) -> str:
    return "80, 443" if ingress["spec"].get("tls") else "80"


def _endpoints(value: Value, _now: datetime) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in value.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return joined(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


COLUMNS: Final[Mapping[GroupKind, tuple[Column, ...]]] = {
    GroupKind("", "Service"): (
        NAME,
        Column("Type", at("spec", "type")),
        Column("Cluster-IP", at("spec", "clusterIPs", 0, default=NONE)),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", lambda v, _: labels_text(dig(v, "spec", "selector")), wide=True),
    ),
    GroupKind("networking.k8s.io", "Ingress"): (
        NAME,
        Column("Class", at("spec", "ingressClassName", default=NONE)),
        Column("Hosts", _hosts),
        Column("Address", lambda v, _: _balancer(v)),
        Column("Ports", _ingress_ports),
        AGE,
    ),
    GroupKind("networking.k8s.io", "NetworkPolicy"): (
        NAME,
        Column("Pod-Selector", selector("spec", "podSelector")),
        AGE,
    ),
    GroupKind("networking.k8s.io", "IngressClass"): (
        NAME,
        Column("Controller", at("spec", "controller")),
        Column("Parameters", at("spec", "parameters", "name", default=NONE)),
        AGE,
    ),
    GroupKind("", "Endpoints"): (NAME, Column("Endpoints", _endpoints), AGE),
}
