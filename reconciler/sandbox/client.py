"""JSON requests to the API server that a Transport stands for: what controllers, scheduler and kubelets write with.

Nothing here knows the sandbox: the same client drives a real kube-apiserver.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from reconciler.errors import ApiError, TransportError, api_error
from reconciler.http.transport import Request, Response, Transport
from reconciler.kube.media import JSON, MERGE_PATCH

Object = dict[str, Any]


class Key(NamedTuple):
    """One object of a known kind. `namespace` is "" for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of one object, or of its subresource, percent-encoded."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        tail = f"/{quote(name)}" if name else ""
        return f"{root}{middle}/{self.plural}{tail}" + (f"/{subresource}" if subresource else "")


NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
PERSISTENT_VOLUMES: Final = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
PODS: Final = Resource("", "v1", "pods", "Pod")
SERVICES: Final = Resource("", "v1", "services", "Service")
ENDPOINTS: Final = Resource("", "v1", "endpoints", "Endpoints")
EVENTS: Final = Resource("", "v1", "events", "Event")
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
SERVICE_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CLAIMS: Final = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet")
STATEFUL_SETS: Final = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet")
REVISIONS: Final = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
JOBS: Final = Resource("batch", "v1", "jobs", "Job")
CRON_JOBS: Final = Resource("batch", "v1", "cronjobs", "CronJob")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
INGRESSES: Final = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
BUDGETS: Final = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
AUTOSCALERS: Final = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
STORAGE_CLASSES: Final = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CRDS: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)

_ATTEMPTS: Final = 3

_encode = msgspec.json.encode
_decode = msgspec.json.decode


def key_of(obj: Mapping[str, Any]) -> Key:
    """Where `obj` lives."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


class Client:
    """Reads and writes JSON objects as one field manager.

    Every method raises ApiError for a failure that the server states and TransportError when there is no usable
    answer. `observe` is told each object that a write returned and `forget` each object that a delete removed, so
    that a cache never lags behind its own writer.
    """

    def __init__(
        self,
        transport: Transport,
        manager: str,
        *,
        observe: Callable[[Resource, Object], None] = lambda _resource, _obj: None,
        forget: Callable[[Resource, Key, str], None] = lambda _resource, _key, _uid: None,
    ) -> None:
        self._transport = transport
        self._manager = manager
        self._observe = observe
        self._forget = forget
        self._headers = {"accept": JSON, "content-type": JSON, "user-agent": manager}
        self._merge_headers = {**self._headers, "content-type": MERGE_PATCH}
        self._query = (("fieldManager", manager),)

    @property
    def manager(self) -> str:
        return self._manager

    async def read(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> Object:
        """The JSON document at `path`. Reading does no harm, so it is tried three times when no answer comes."""
        request = Request("GET", path, query, self._headers)
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(TransportError):
                return await self._call(request)
        return await self._call(request)

    async def get(self, resource: Resource, key: Key) -> Object:
        return await self.read(resource.path(key.namespace, key.name))

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create `obj` in its namespace and return it as stored."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        path = resource.path(obj["metadata"].get("namespace", ""))
        return self._seen(resource, await self._call(Request("POST", path, self._query, self._headers, _encode(body))))

    async def update(self, resource: Resource, obj: Object, subresource: str = "") -> Object:
        """Replace `obj`; its resourceVersion, when present, must be the stored one (else Conflict)."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        key = key_of(obj)
        path = resource.path(key.namespace, key.name, subresource)
        return self._seen(resource, await self._call(Request("PUT", path, self._query, self._headers, _encode(body))))

    async def patch(self, resource: Resource, key: Key, change: Object, subresource: str = "") -> Object:
        """Send `change` as a JSON merge patch. A `metadata.uid` or `resourceVersion` in it is a precondition."""
        path = resource.path(key.namespace, key.name, subresource)
        return self._seen(
            resource, await self._call(Request("PATCH", path, self._query, self._merge_headers, _encode(change)))
        )

    async def delete(
        self,
        resource: Resource,
        obj: Mapping[str, Any],
        *,
        propagation: str = "Background",
        grace: int | None = None,
        same_version: bool = False,
    ) -> None:
        """Delete exactly `obj` (by uid, with `same_version` also by resourceVersion). One that is gone is fine."""
        metadata = obj["metadata"]
        preconditions = {"uid": metadata["uid"]}
        if same_version:
            preconditions["resourceVersion"] = metadata["resourceVersion"]
        options: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": preconditions,
        }
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        key = key_of(obj)
        request = Request("DELETE", resource.path(key.namespace, key.name), (), self._headers, _encode(options))
        try:
            left = await self._call(request)
        except ApiError as error:
            if error.status != 404:
                raise
            left = {}
        remains = left.get("metadata") or {}
        if remains.get("uid") == metadata["uid"] and remains.get("deletionTimestamp") and _still_there(remains, grace):
            self._observe(resource, left)
        else:
            self._forget(resource, key, metadata["uid"])

    async def delete_collection(self, resource: Resource, namespace: str) -> None:
        """Delete every object of the kind in `namespace`, in the background."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        await self._call(Request("DELETE", resource.path(namespace), (), self._headers, _encode(options)))

    async def bind(self, pod: Key, uid: str, node: str) -> None:
        """Assign a pod to a node for good."""
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"namespace": pod.namespace, "name": pod.name, "uid": uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        path = PODS.path(pod.namespace, pod.name, "binding")
        await self._call(Request("POST", path, self._query, self._headers, _encode(body)))

    def _seen(self, resource: Resource, obj: Object) -> Object:
        self._observe(resource, obj)
        return obj

    async def _call(self, request: Request) -> Object:
        return answer(await self._transport.send(request), request)


def _still_there(metadata: Mapping[str, Any], grace: int | None) -> bool:
    if metadata.get("finalizers"):
        return True
    return grace != 0 and bool(metadata.get("deletionGracePeriodSeconds"))


def answer(response: Response, request: Request) -> Object:
    """The JSON object in `response`; ApiError for an error status, TransportError for anything but a JSON object."""
    where = f"{request.method} {request.path}"
    try:
        body = _decode(response.body) if response.body else {}
    except msgspec.DecodeError as error:
        body = None
        if response.status < 400:
            raise TransportError("the answer is not JSON", where=where, why=str(error)) from None
    if response.status >= 400:
        retry = response.headers.get("retry-after", "")
        raise api_error(
            response.status,
            body if isinstance(body, dict) else {},
            where=where,
            retry_after=float(retry) if retry.isdigit() else None,
        )
    if not isinstance(body, dict):
        raise TransportError("the answer is not a JSON object", where=where)
    return body
