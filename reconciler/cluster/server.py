"""One API server, as the verbs need it: from objects to paths and back."""

from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from reconciler.clock import Clock
from reconciler.cluster.api import Api, decode, object_path
from reconciler.cluster.discovery import Discovery
from reconciler.errors import BadRequest
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.resources import Resource
from reconciler.model.change import Live


class Place(NamedTuple):
    """Where an object is on the server."""

    resource: Resource
    identity: Identity
    path: str  # of the object
    collection: str


@dataclass(frozen=True, slots=True)
class Server:
    """What every verb works with."""

    api: Api
    discovery: Discovery
    clock: Clock
    random: Random

    async def place(self, identity: Identity, version: str = "", *, patience: float = 0.0) -> Place:
        """Where `identity` is, in `version` or the one that its group prefers. Raises NotFound for an unknown kind."""
        if _path_like(identity.namespace) or _path_like(identity.name):
            raise BadRequest("this is no name for an object", status=400, where=str(identity))
        gvk = GroupVersionKind(identity.group, version, identity.kind)
        resource = await self.discovery.require(gvk, patience)
        if resource.namespaced and not identity.namespace:
            raise BadRequest("an object of this kind needs a namespace", status=400, where=str(identity))
        namespace = identity.namespace if resource.namespaced else ""
        collection = object_path(resource.api_version, resource.plural, namespace)
        path = object_path(resource.api_version, resource.plural, namespace, identity.name)
        return Place(resource, identity, path, collection)


def live(body: bytes, identity: Identity) -> Live:
    """The object in an answer. Raises TransportError when it is another one, or none."""
    return Live(identity, decode(body, dict[str, Any], str(identity)))


def _path_like(name: str) -> bool:
    """Whether a name would lead to another path than its object's."""
    return name in (".", "..") or "/" in name or "%" in name
