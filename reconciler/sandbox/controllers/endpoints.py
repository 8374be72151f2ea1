"""Endpoints and EndpointSlices: the addresses of the pods behind a Service.

Both copy the Service's labels, as the real controllers do; only the slice names the Service as its owner.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from reconciler.errors import AlreadyExists
from reconciler.sandbox.client import ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES, Key, Object, key_of
from reconciler.sandbox.controllers.controller import Context, Controller, same
from reconciler.sandbox.controllers.owners import OWNER_INDEX, controller_reference, controller_uid, is_deleting
from reconciler.sandbox.controllers.pods import is_finished, is_ready
from reconciler.sandbox.controllers.selected import SELECTED, index_pods, place, places, pods_matching
from reconciler.sandbox.nodes import ZONE

SERVICE_NAME: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
_HEADLESS: Final = "service.kubernetes.io/headless"
PER_SLICE: Final = 100


class EndpointsController(Controller):
    """Keeps both kinds for every Service that selects pods; those without a selector are somebody else's."""

    name: ClassVar[str] = "endpoint-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = self.follow(SERVICES)
        self._services.add_index(SELECTED, _selected)
        self._nodes = self.informers.of(NODES)
        self._endpoints = self.follow(ENDPOINTS)
        self._slices = self.follow_owned(ENDPOINT_SLICES, SERVICES)
        self._slices.add_index(OWNER_INDEX, controller_uid)
        self._pods = self.informers.of(PODS)
        index_pods(self._pods)
        self._pods.subscribe(self._pod_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _seen(old) == _seen(new):
            return
        for pod in (old, new):
            if pod is None:
                continue
            for where in places(pod):
                for service in self._services.by(SELECTED, where):
                    self.queue.add(key_of(service))

    async def reconcile(self, key: Key) -> None:
        service = self._services.get(key)
        if service is None:
            await self._clear(key)
            return
        selector = service["spec"].get("selector")
        if not selector or is_deleting(service) or service["spec"].get("type") == "ExternalName":
            return
        found = pods_matching(self._pods, key.namespace, {"matchLabels": selector})
        pods = [pod for pod in found if not is_finished(pod) and (pod.get("status") or {}).get("podIP")]
        await self._set_endpoints(key, service, pods)
        await self._set_slices(key, service, pods)

    async def _clear(self, key: Key) -> None:
        """The Service is gone: so are its Endpoints, unless somebody made them by hand. Slices have an owner."""
        endpoints = self._endpoints.get(key)
        if endpoints is not None and _LAST_CHANGE in (endpoints["metadata"].get("annotations") or {}):
            await self.client.delete(ENDPOINTS, endpoints)

    async def _set_endpoints(self, key: Key, service: Object, pods: Sequence[Object]) -> None:
        labels = {
            **(service["metadata"].get("labels") or {}),
            "endpoints.kubernetes.io/managed-by": "endpoint-controller",
        }
        if service["spec"].get("clusterIP") == "None":
            labels[_HEADLESS] = ""
        subsets = endpoint_subsets(service, pods)
        known = self._endpoints.get(key)
        if known is not None and same([known.get("subsets"), known["metadata"].get("labels")], [subsets, labels]):
            return
        metadata: Object = {
            "namespace": key.namespace,
            "name": key.name,
            "labels": labels,
            "annotations": {_LAST_CHANGE: self.now()},
        }
        if known is None:
            try:
                await self.client.create(ENDPOINTS, {"metadata": metadata, "subsets": subsets})
            except AlreadyExists:
                self._endpoints.observe(await self.client.get(ENDPOINTS, key))
                raise
        else:
            await self.client.update(
                ENDPOINTS, {**known, "metadata": {**known["metadata"], **metadata}, "subsets": subsets}
            )

    async def _set_slices(self, key: Key, service: Object, pods: Sequence[Object]) -> None:
        """One slice for each hundred pods; the first keeps its name, the surplus goes."""
        labels = {
            **(service["metadata"].get("labels") or {}),
            SERVICE_NAME: key.name,
            MANAGED_BY: "endpointslice-controller.k8s.io",
        }
        if service["spec"].get("clusterIP") == "None":
            labels[_HEADLESS] = ""
        known = sorted(
            self._slices.by(OWNER_INDEX, service["metadata"]["uid"]), key=lambda entry: str(entry["metadata"]["name"])
        )
        chunks = [pods[start : start + PER_SLICE] for start in range(0, len(pods), PER_SLICE)] or [pods]
        for position, chunk in enumerate(chunks):
            ports = slice_ports(service, chunk)
            content = {"addressType": "IPv4", "endpoints": [self._endpoint(pod) for pod in chunk], "ports": ports}
            if position < len(known):
                old = known[position]
                metadata = {**old["metadata"], "labels": labels}
                new = {**old, **content, "metadata": metadata}
                if not same(new, old):
                    await self.client.update(ENDPOINT_SLICES, new)
            else:
                metadata = {
                    "namespace": key.namespace,
                    "generateName": f"{key.name}-",
                    "labels": labels,
                    "ownerReferences": [controller_reference(SERVICES, service)],
                }
                await self.client.create(ENDPOINT_SLICES, {"metadata": metadata, **content})
        for old in known[len(chunks) :]:
            await self.client.delete(ENDPOINT_SLICES, old)

    def _endpoint(self, pod: Object) -> Object:
        ready, leaving = is_ready(pod), is_deleting(pod)
        endpoint: Object = {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": ready and not leaving, "serving": ready, "terminating": leaving},
            "targetRef": _target(pod),
        }
        if name := pod["spec"].get("nodeName"):
            endpoint["nodeName"] = name
            node = self._nodes.get(Key("", name))
            if node is not None and (zone := (node["metadata"].get("labels") or {}).get(ZONE)):
                endpoint["zone"] = zone
        if pod["spec"].get("subdomain") and pod["spec"].get("hostname"):
            endpoint["hostname"] = pod["spec"]["hostname"]
        return endpoint


_LAST_CHANGE: Final = "endpoints.kubernetes.io/last-change-trigger-time"


def endpoint_subsets(service: Object, pods: Iterable[Object]) -> list[Object]:
    """The subsets of the Endpoints of `service`: addresses grouped by the ports they answer on. Pure."""
    everybody = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[str, Object] = {}
    for pod in pods:
        if is_deleting(pod) and not everybody:
            continue
        ports = _ports(service, pod)
        subset = groups.setdefault(repr(ports), {"addresses": [], "notReadyAddresses": [], "ports": ports})
        address: Object = {"ip": pod["status"]["podIP"], "targetRef": _target(pod)}
        if name := pod["spec"].get("nodeName"):
            address["nodeName"] = name
        subset["addresses" if is_ready(pod) or everybody else "notReadyAddresses"].append(address)
    return [{name: value for name, value in groups[group].items() if value} for group in sorted(groups)]


def slice_ports(service: Object, pods: Sequence[Object]) -> list[Object]:
    """The ports of a slice, by the first of its pods that answers on each. Pure."""
    found: dict[str, Object] = {}
    for pod in pods:
        for port in _ports(service, pod):
            found.setdefault(port.get("name", ""), {"name": "", **port})
    return [found[name] for name in sorted(found)]


def _ports(service: Object, pod: Object) -> list[Object]:
    """The ports of `service` as numbers of `pod`; a named target that no container has is left out."""
    ports = []
    for port in service["spec"].get("ports") or ():
        number = _number(port, pod)
        if number is None:
            continue
        entry: Object = {"port": number, "protocol": port.get("protocol") or "TCP"}
        for field in ("name", "appProtocol"):
            if port.get(field):
                entry[field] = port[field]
        ports.append(entry)
    return ports


def _number(port: Object, pod: Object) -> int | None:
    target: Any = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        for candidate in container.get("ports") or ():
            if candidate.get("name") == target and (candidate.get("protocol") or "TCP") == (
                port.get("protocol") or "TCP"
            ):
                return int(candidate["containerPort"])
    return None


def _target(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def _selected(service: Object) -> tuple[str, ...]:
    """An index function: where the pods of the Service are found."""
    selector = service["spec"].get("selector")
    return (place(service["metadata"]["namespace"], selector),) if selector else ()


def _seen(pod: Object) -> tuple[object, ...]:
    """What of a pod its Services see."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    return (
        status.get("podIP"),
        is_ready(pod),
        is_finished(pod),
        is_deleting(pod),
        metadata.get("labels"),
        metadata["uid"],
    )
