"""What the cluster has, as far as we watch it: compact, and decoded when somebody asks.

A Deployment is some 9 kB of JSON and 30 kB of Python objects; compressed it is 2 kB. Unpacking one costs 0.1 ms, so an
object stays packed until it is needed.
"""

import logging
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from reconciler.cluster.paging import ItemMeta
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Live
from reconciler.model.manifest import LABEL_SOURCE

Callback = Callable[[Identity, "Packed | None", "Packed | None"], None]

_PACK_OVER: Final = 512  # bytes; less is not worth packing
_LEVEL: Final = 1
logger = logging.getLogger(__name__)


class Packed(NamedTuple):
    """One object at rest. `version` is its resourceVersion, `api_version` the one that `data` is written in."""

    version: str
    source: str  # the label's value, "" without one
    api_version: str
    data: bytes

    def json(self) -> bytes:
        return self.data if self.data[:1] == b"{" else zlib.decompress(self.data)

    def live(self, identity: Identity) -> Live:
        stored: dict[str, Any] = msgspec.json.decode(self.json())
        stored.pop("apiVersion", None)
        stored.pop("kind", None)
        # Items of a list carry neither.
        return Live(identity, {"apiVersion": self.api_version, "kind": identity.kind, **stored})


def pack(data: bytes | msgspec.Raw, *, version: str, source: str, api_version: str) -> Packed:
    """`data` is the object's JSON."""
    small = bytes(data).lstrip()
    if len(small) > _PACK_OVER or small[:1] != b"{":
        small = zlib.compress(small, _LEVEL)
    return Packed(version, source, api_version, small)


def newer(version: str, than: str) -> bool:
    """Whether resourceVersion `version` is later. Where they are not numbers they cannot be ordered: later if other."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


def outlived(state: str, gone: str) -> bool:
    """Whether an object in the state of resourceVersion `state` came after it was gone at `gone`, "" for now."""
    return gone not in ("", state) and not newer(gone, state)


class LiveCache:
    """Live objects by identity, as a cluster's reflectors and our own writes report them.

    An object never goes back in time: what is older than the cached state is dropped.
    """

    def __init__(self) -> None:
        self._objects: dict[Identity, Packed] = {}
        self._kinds: dict[GroupKind, dict[Identity, None]] = {}
        self._sources: dict[str, dict[Identity, None]] = {}
        self._subscribers: list[Callback] = []

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, identity: object) -> bool:
        return identity in self._objects

    def get(self, identity: Identity) -> Live | None:
        packed = self._objects.get(identity)
        return packed.live(identity) if packed else None

    def mentions(self, identity: Identity, text: bytes) -> bool:
        """Whether the object is there and has `text` anywhere in its JSON: far cheaper than to decode it."""
        packed = self._objects.get(identity)
        return packed is not None and text in packed.json()

    def api_version(self, identity: Identity) -> str:
        """The apiVersion in which the object is held, "" where it is not there."""
        packed = self._objects.get(identity)
        return packed.api_version if packed else ""

    def version(self, identity: Identity) -> str:
        """Its resourceVersion, "" where it is not there."""
        packed = self._objects.get(identity)
        return packed.version if packed else ""

    def of_source(self, source: str) -> Iterator[Live]:
        """Objects that carry the source's label, in order. The label alone does not make them the source's (rule 1)."""
        for identity in sorted(self._sources.get(source, ())):
            if live := self.get(identity):
                yield live

    def marked(self, source: str) -> list[Identity]:
        """The identities of what `of_source` yields, without unpacking anything."""
        return sorted(self._sources.get(source, ()))

    def of_kind(self, kind: GroupKind) -> list[Identity]:
        """The identities of all cached objects of a kind, in order."""
        return sorted(self._kinds.get(kind, ()))

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Have `callback(identity, old, new)` called after each change; returns what ends it. It must not block.

        It gets the objects packed: most of what a watch tells needs no look inside.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    # Below: for the reflectors (the Store of `reconciler.cluster.reflector`) and for our own writes.

    def read(self, identity: Identity, data: msgspec.Raw, meta: ItemMeta, api_version: str) -> Packed:
        """`data` as it is held here."""
        source = (meta.labels or {}).get(LABEL_SOURCE, "")
        return pack(data, version=meta.resource_version, source=source, api_version=api_version)

    def at(self, identity: Identity, version: str) -> Packed | None:
        """The object, if it is here in exactly this state."""
        packed = self._objects.get(identity)
        return packed if packed is not None and packed.version == version else None

    def put(self, identity: Identity, packed: Packed) -> None:
        """Take in one state of an object, unless a later one is here."""
        old = self._objects.get(identity)
        if old is not None and not newer(packed.version, old.version):
            return
        self._store(identity, packed)
        self._tell(identity, old, packed)

    def remove(self, identity: Identity, version: str = "") -> None:
        """Take an object out that was gone at resourceVersion `version`, unless it has come back since."""
        old = self._objects.get(identity)
        if old is None or outlived(old.version, version):
            return
        self._drop(identity, old)
        self._tell(identity, old, None)

    def replace(self, kind: GroupKind, namespace: str, items: Mapping[Identity, Packed], version: str) -> None:
        """Take in a whole list of `kind` as of resourceVersion `version`, of all namespaces where `namespace` is ""."""
        for identity in self.of_kind(kind):
            if identity not in items and namespace in ("", identity.namespace):
                self.remove(identity, version)
        for identity, packed in items.items():
            self.put(identity, packed)

    def _store(self, identity: Identity, packed: Packed) -> None:
        old = self._objects.get(identity)
        if old is not None and old.source != packed.source:
            self._unlabel(identity, old)
        self._objects[identity] = packed
        self._kinds.setdefault(identity.group_kind, {})[identity] = None
        if packed.source:
            self._sources.setdefault(packed.source, {})[identity] = None

    def _drop(self, identity: Identity, old: Packed) -> None:
        del self._objects[identity]
        self._kinds[identity.group_kind].pop(identity, None)
        self._unlabel(identity, old)

    def _unlabel(self, identity: Identity, old: Packed) -> None:
        if labelled := self._sources.get(old.source):
            labelled.pop(identity, None)

    def _tell(self, identity: Identity, old: Packed | None, new: Packed | None) -> None:
        for callback in tuple(self._subscribers):
            try:
                callback(identity, old, new)
            except Exception:
                logger.exception("a subscriber failed on %s", identity)
