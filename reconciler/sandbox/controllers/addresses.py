"""What a cloud would add: an address for every Ingress and for every Service of type LoadBalancer."""

import hashlib
from typing import ClassVar

from reconciler.sandbox.client import INGRESSES, SERVICES, Key, Object
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting


class IngressAddresses(Controller):
    """The simulated ingress controller serves every class."""

    name: ClassVar[str] = "ingress-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ingresses = self.follow(INGRESSES)

    async def reconcile(self, key: Key) -> None:
        ingress = self._ingresses.get(key)
        if ingress is not None and not is_deleting(ingress):
            await self.set_status(INGRESSES, ingress, _with_address(ingress, "192.0.2.1"))


class ServiceAddresses(Controller):
    """One address for each Service, always the same for the same name."""

    name: ClassVar[str] = "service-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = self.follow(SERVICES)

    async def reconcile(self, key: Key) -> None:
        service = self._services.get(key)
        if service is None or is_deleting(service):
            return
        if service["spec"].get("type") == "LoadBalancer":
            digest = hashlib.blake2b(str(key).encode(), digest_size=2).digest()
            status = _with_address(service, f"198.18.{digest[0]}.{digest[1]}", mode="VIP")
            await self.set_status(SERVICES, service, status)


def _with_address(obj: Object, address: str, **more: str) -> Object:
    status = obj.get("status") or {}
    balancer = status.get("loadBalancer") or {}
    if balancer.get("ingress"):
        return dict(status)
    return {**status, "loadBalancer": {**balancer, "ingress": [{"ip": address, **more}]}}
