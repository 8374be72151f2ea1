"""What containers use right now, as metrics-server says it: the API `metrics.k8s.io/v1beta1`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from reconciler.errors import QueryFailed, QueryUnanswered, TransportError
from reconciler.http.transport import Request, Transport
from reconciler.kube.names import Identity
from reconciler.kube.quantity import parse
from reconciler.model.usage import Measurement

_PATH: Final = "/apis/metrics.k8s.io/v1beta1/pods"
_LIMIT: Final = 256 * 1024 * 1024  # bytes; 100,000 pods are 40 MB


class _Container(msgspec.Struct):
    name: str
    usage: dict[str, str] = {}


class _Metadata(msgspec.Struct):
    name: str
    namespace: str = ""


class _Pod(msgspec.Struct):
    metadata: _Metadata
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    containers: list[_Container] = []


class _Pods(msgspec.Struct):
    items: list[_Pod] = []


async def measure(transport: Transport) -> tuple[Measurement, ...]:
    """All containers of the cluster that metrics-server knows.

    Raises QueryFailed where the cluster has no metrics-server or does not let us ask it, QueryUnanswered where it
    gives no usable answer this time.
    """
    try:
        response = await transport.send(Request("GET", _PATH, headers={"accept": "application/json"}, limit=_LIMIT))
    except TransportError as error:
        what = "the API server does not answer"
        raise QueryUnanswered(what, where=_PATH, why=str(error), hint=error.hint) from error
    if response.status == 404:
        hint = "install metrics-server, or name a Prometheus in the configuration"
        raise QueryFailed("the cluster measures nothing", where=_PATH, why="there is no metrics-server", hint=hint)
    if response.status in (401, 403):
        raise QueryFailed("the measurements may not be read", where=_PATH, why=f"HTTP {response.status}")
    if response.status != 200:
        raise QueryUnanswered("the measurements could not be read", where=_PATH, why=f"HTTP {response.status}")
    try:
        pods = msgspec.json.decode(response.body, type=_Pods)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise QueryUnanswered("the measurements could not be read", where=_PATH, why=str(error)) from None
    return tuple(_measurements(pods))


def _measurements(pods: _Pods) -> Iterator[Measurement]:
    for pod in pods.items:
        identity = Identity("", "Pod", pod.metadata.namespace, pod.metadata.name)
        for container in pod.containers:
            try:
                cpu, memory = (float(parse(container.usage[name])) for name in ("cpu", "memory"))
            except (KeyError, ValueError, OverflowError):
                continue  # a container that has just started is listed without what it uses
            yield Measurement(identity, container.name, cpu, memory, pod.timestamp.astimezone(UTC))
