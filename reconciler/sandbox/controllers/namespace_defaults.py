"""What every namespace starts with: the ServiceAccount `default` and the cluster's root certificate."""

from typing import ClassVar, Final

from reconciler.errors import AlreadyExists
from reconciler.sandbox.client import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Key, Object, Resource
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting
from reconciler.sandbox.informer import keys_only

ROOT_CA: Final = "kube-root-ca.crt"
_CERTIFICATE: Final = (
    "-----BEGIN CERTIFICATE-----\n(simulated: the sandbox speaks plain HTTP)\n-----END CERTIFICATE-----\n"
)


class NamespaceDefaults(Controller):
    """Makes both again when somebody deletes them."""

    name: ClassVar[str] = "serviceaccount-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.follow(NAMESPACES)
        self._accounts = self.informers.of(SERVICE_ACCOUNTS)
        self._config_maps = self.informers.of(CONFIG_MAPS, keys_only)
        self._accounts.subscribe(self._removed)
        self._config_maps.subscribe(self._removed)

    def _removed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None and old["metadata"]["name"] in ("default", ROOT_CA):
            self.queue.add(Key("", old["metadata"]["namespace"]))

    async def reconcile(self, key: Key) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or is_deleting(namespace):
            return
        if self._accounts.get(Key(key.name, "default")) is None:
            await self._make(SERVICE_ACCOUNTS, {"metadata": {"namespace": key.name, "name": "default"}})
        if self._config_maps.get(Key(key.name, ROOT_CA)) is None:
            note = {"kubernetes.io/description": "Contains a CA bundle to verify the kube-apiserver with."}
            metadata = {"namespace": key.name, "name": ROOT_CA, "annotations": note}
            await self._make(CONFIG_MAPS, {"metadata": metadata, "data": {"ca.crt": _CERTIFICATE}})

    async def _make(self, resource: Resource, obj: Object) -> None:
        try:
            await self.client.create(resource, obj)
        except AlreadyExists:
            return
