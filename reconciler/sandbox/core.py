"""What every part of the server shares: the store, the kinds, time, randomness and the addresses given out."""

import random
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from reconciler.clock import Clock
from reconciler.kube.names import NAME_LETTERS, GroupKind
from reconciler.kube.times import stamp
from reconciler.sandbox.allocators import Addresses, Ports
from reconciler.sandbox.registry import Kind, Registry
from reconciler.sandbox.store import Entry, Store
from reconciler.sandbox.versions import convert

Value = dict[str, Any]


class Core:
    def __init__(self, *, store: Store, registry: Registry, clock: Clock, source: random.Random) -> None:
        self.store = store
        self.registry = registry
        self.clock = clock
        self.random = source
        self.addresses = Addresses()
        self.ports = Ports()
        self._decoder: msgspec.json.Decoder[Value] = msgspec.json.Decoder(Value)

    def now(self) -> str:
        """The time of day as objects hold it: whole seconds, UTC."""
        return stamp(self.clock.now().astimezone(UTC))

    def time(self) -> datetime:
        return self.clock.now().astimezone(UTC)

    def uid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def suffix(self, length: int = 5) -> str:
        return "".join(self.random.choices(NAME_LETTERS, k=length))

    def find(self, kind: Kind, namespace: str, name: str) -> Entry | None:
        return self.store.get(kind.group_kind, namespace if kind.namespaced else "", name)

    def read(self, entry: Entry, kind: Kind) -> Value:
        """A copy of a stored object in the version of `kind`, for the caller to keep or change."""
        value = self._decoder.decode(entry.body)
        return value if kind.version == kind.storage_version else convert(value, kind.gvk)

    def body(self, entry: Entry, kind: Kind) -> bytes:
        """The JSON of a stored object in the version of `kind`."""
        return entry.body if kind.version == kind.storage_version else msgspec.json.encode(self.read(entry, kind))

    def get(self, group_kind: GroupKind, namespace: str, name: str) -> Value | None:
        """A copy of an object in its storage version."""
        entry = self.store.get(group_kind, namespace, name)
        return self._decoder.decode(entry.body) if entry else None

    def save(self, kind: Kind, value: Value) -> Value:
        """Write an object, which is in the version of `kind`, as the next revision; returns it with that revision."""
        revision = self.store.next_revision()
        kind.codec.settle(value)
        value["metadata"]["resourceVersion"] = str(revision)
        value["metadata"].pop("selfLink", None)
        self.store.put(kind.group_kind, self.entry(kind, value, revision))
        return value

    def delete(self, kind: Kind, entry: Entry) -> Value:
        """Remove an object; returns its last state, stamped with the deletion's revision, in the version of `kind`."""
        revision = self.store.next_revision()
        value = self._decoder.decode(entry.body)
        value["metadata"]["resourceVersion"] = str(revision)
        stored = self.registry.storage(kind)
        self.store.remove(kind.group_kind, self.entry(stored, value, revision))
        if kind.rules.after_delete is not None:
            kind.rules.after_delete(value, self)
        return value if kind.version == kind.storage_version else convert(value, kind.gvk)

    def entry(self, kind: Kind, value: Value, revision: int) -> Entry:
        if kind.version != kind.storage_version:
            kind = self.registry.storage(kind)
            value = convert(dict(value), kind.gvk)
        metadata = value["metadata"]
        ordered = {"kind": kind.resource.kind, "apiVersion": kind.api_version, **value}
        ordered["kind"], ordered["apiVersion"] = kind.resource.kind, kind.api_version
        return Entry(
            metadata.get("namespace", ""),
            metadata["name"],
            metadata.get("uid", ""),
            revision,
            metadata.get("labels") or {},
            msgspec.json.encode(ordered),
        )
