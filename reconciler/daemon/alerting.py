"""Alerts as the daemon has them: receivers of its configuration, a record in the cluster, Events through its client."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from reconciler.alerts.alerts import Alerts, Told
from reconciler.alerts.delivery import Observer
from reconciler.alerts.message import Composer, Message
from reconciler.alerts.receivers.alertmanager import Alertmanager
from reconciler.alerts.receivers.http import CloudEvents
from reconciler.alerts.receivers.kubernetes import KubernetesEvents
from reconciler.alerts.receivers.log import Log
from reconciler.alerts.receivers.receiver import Receiver
from reconciler.alerts.receivers.slack import Slack
from reconciler.clock import Clock
from reconciler.cluster.api import object_path
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.configmaps import ConfigMaps
from reconciler.errors import AlreadyExists, ConfigError, Conflict, NotFound, Undelivered
from reconciler.http.transport import Transport
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.alerting import ReceiverConfig
from reconciler.model.config import DaemonConfig
from reconciler.model.state import INSTALL_NAME, state_name

RECORD: Final = "reconciler-alerts"  # the ConfigMap
_KEY: Final = "record"
_CONNECTIONS: Final = 2  # to one receiver

Write = Callable[[Message], None]


def alerts_of(
    config: DaemonConfig,
    cluster: Cluster,
    stop: asyncio.Event,
    *,
    clock: Clock,
    random: Random,
    observer: Observer,
    write: Write,
) -> Alerts:
    """What tells people as `config` says, until `stop` is set. `write` takes what is for the log."""
    name = config.install or ""
    events = ClusterEvents(cluster, config.state_namespace)

    def told(receiver: ReceiverConfig) -> Told:
        composer = Composer(receiver.message, name=name)
        return Told(_receiver(receiver, composer, clock, events, write), composer)

    return Alerts(
        config.alerts,
        {receiver.name: told(receiver) for receiver in config.alerts.receivers},
        [source.name for source in config.sources],
        storage=RecordMap(cluster, config.state_namespace),
        clock=clock,
        random=random,
        observer=observer,
        stop=stop,
        install=name,
    )


def _receiver(
    config: ReceiverConfig, composer: Composer, clock: Clock, events: "ClusterEvents", write: Write
) -> Receiver:
    if config.slack is not None:
        return Slack(config.slack, connect, clock)
    if config.http is not None:
        return CloudEvents(config.http, connect, clock)
    if config.alertmanager is not None:
        return Alertmanager(config.alertmanager, connect, clock)
    if config.kubernetes is not None:
        return KubernetesEvents(events, composer, instance=socket.gethostname())
    if config.log is not None:
        return Log(write)
    raise ConfigError(f"receiver {config.name} has no kind")  # the schema does not let it come here


def connect(base: str, authorities: str) -> Transport:
    """HTTP to a receiver. Raises Undelivered where `authorities` cannot be used."""
    from reconciler.http.client import HttpTransport

    context = None
    if authorities:
        try:
            context = ssl.create_default_context(cadata=authorities)
        except ssl.SSLError:
            raise Undelivered("its caFile holds no certificate authorities in PEM") from None
    return HttpTransport(base, ssl=context, limit=_CONNECTIONS)


class RecordMap:
    """The record in a ConfigMap of its own. Nobody else writes it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._maps = ConfigMaps(cluster.server.api, namespace)
        self._version: str | None = None  # as it was last read or written

    async def read(self) -> str | None:
        """What is stored, None where nothing is."""
        stored = await self._maps.read(RECORD)
        self._version = stored.version if stored else None
        return stored.data.get(_KEY) if stored else None

    async def write(self, text: str) -> None:
        """Store `text`, whatever is there."""
        try:
            await self._put(text)
        except (AlreadyExists, Conflict, NotFound):  # an answer of an earlier write got lost, or somebody deleted it
            await self.read()
            await self._put(text)

    async def _put(self, text: str) -> None:
        data: Mapping[str, str] = {_KEY: text}
        if self._version is None:
            self._version = (await self._maps.create(RECORD, data, {})).version
        else:
            self._version = (await self._maps.replace(RECORD, data, {}, self._version)).version


class ClusterEvents:
    """Writes Events to the cluster that the daemon watches."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def reference(self, identity: Identity) -> Mapping[str, str]:
        """By what is in the cache; an object that is gone has no uid."""
        live = self._cluster.cache.get(identity)
        resource = self._cluster.kinds.get(identity.group_kind)
        version = self._cluster.cache.api_version(identity)
        if not version and resource is not None:
            version = GroupVersionKind(identity.group, resource.version, identity.kind).api_version
        found = {"apiVersion": version, "uid": live.uid if live else ""}
        return {name: value for name, value in found.items() if value}

    def about(self, source: str) -> Identity:
        """The ConfigMap in which the state of `source` is kept."""
        return Identity("", "ConfigMap", self._namespace, state_name(source) if source else INSTALL_NAME)

    async def post(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Create `event`."""
        path = object_path("events.k8s.io/v1", "events", namespace)
        subject = Identity("events.k8s.io", "Event", namespace, event["metadata"]["name"])
        await self._cluster.server.api.write("POST", path, event, subject=subject)
