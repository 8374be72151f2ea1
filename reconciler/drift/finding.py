"""A difference that is drift, before it is confirmed."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.cluster.cache import Packed
from reconciler.kube.names import Identity
from reconciler.model.change import Change, Live
from reconciler.model.drift import DriftKind
from reconciler.model.manifest import DriftMode


@dataclass(frozen=True, slots=True)
class Finding:
    """`uid` is the object's before it drifted, `ours` says that it is ours still, though its marks may be gone.

    The object is `packed` as the cache had it, or `live` as the server did, where our labels do not find it.
    """

    change: Change
    kind: DriftKind
    mode: DriftMode
    noticed: datetime
    uid: str
    ours: bool
    live: Live | None
    packed: Packed | None

    @property
    def identity(self) -> Identity:
        return self.change.identity

    @property
    def digest(self) -> str:
        """Of what Git states."""
        return self.change.digest

    def was(self) -> Live | None:
        """The object before anything was done about it. Unpacks it: 0.1 ms."""
        return self.packed.live(self.identity) if self.packed is not None else self.live
