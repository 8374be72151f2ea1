"""Who cares for what others do to the objects of a source, and what the engine does for them.

A pass makes what Git changed. What somebody else changed meanwhile is the business of an attendant: it says of each
difference whether a pass is to make it good, and between two passes it looks at objects and has changes carried out.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from reconciler.cluster.cache import LiveCache, Packed
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, Change, FieldChange, Live
from reconciler.model.manifest import ANNOTATION_ORIGIN, DriftMode, Manifest, Manifests
from reconciler.model.result import ObjectResult

Done = Callable[[Change, ObjectResult, Live | None], None]
"""Told each change that was carried out, what came of it, and the object as the server answered it, if it did."""


Left = Callable[[Change, Live], tuple[FieldChange, ...]]
"""What of an object that a change was made to differs from what Git states all the same."""


class Between(Protocol):
    """What the engine does for an attendant while no pass decides. Not to be kept."""

    @property
    def items(self) -> Mapping[Identity, Manifest]:
        """What Git states."""
        ...

    @property
    def revision(self) -> str:
        """The commit that states it."""
        ...

    @property
    def busy(self) -> frozenset[Identity]:
        """What a running pass is about to write anyway."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether a pass waits: writes in flight end, nothing new starts."""
        ...

    async def differences(self, identities: Iterable[Identity], *, afresh: bool = False) -> list[Change]:
        """What is to be done about each object that is not as Git states it.

        `afresh` sets aside what is remembered of objects that were equal. Raises ReconcilerError.
        """
        ...

    def met(self, identity: Identity) -> bool:
        """Whether the object has been what Git states now: what differs since then was changed by somebody else."""
        ...

    async def look(self, identity: Identity) -> Live | None:
        """The object, from the cache or, where our labels do not find it, from the server. Raises ReconcilerError."""
        ...

    def left(self, change: Change, live: Live) -> tuple[FieldChange, ...]:
        """What of `live` differs from what Git states."""
        ...

    async def dry_run(self, change: Change) -> Live:
        """What applying `change` would make of the object. Raises ReconcilerError."""
        ...

    def ask(self) -> None:
        """Have a pass made soon: something is missing that no pass has brought to its end."""
        ...

    async def carry_out(self, changes: Iterable[Change], done: Done) -> None:
        """Make `changes`, forcing exactly what Git states (rule 5). What fails is told to `done`, not raised."""
        ...


Borrow = Callable[[], AbstractAsyncContextManager[Between | None]]
"""Keeps passes from deciding for as long as it is open. None: a pass is about to look at everything itself."""


class Attendant(Protocol):
    """One source's. `wake` is set by the engine: it has `attend` called after some seconds."""

    wake: Callable[[float], None]

    def seen(self, identity: Identity, old: Packed | None, new: Packed | None) -> None:
        """The watch showed a change of an object that Git states. Must not block."""
        ...

    def in_a_pass(self, change: Change) -> Change | None:
        """The change as a pass is to make it; None where it is to leave the object alone."""
        ...

    def forces(self, change: Change) -> bool:
        """Whether a pass may take fields back from others (rules 4 and 5)."""
        ...

    def made(self, result: ObjectResult, live: Live | None, left: Left) -> None:
        """One change of a pass came to its end; `live` is what the server answered, `left` what differs in it."""
        ...

    def passed(self, manifests: Manifests, *, compared: bool = True) -> None:
        """A pass came to its end: this is what Git states now. Not `compared`: nobody has looked at the objects yet."""
        ...

    async def attend(self, borrow: Borrow, *, suspended: bool, brief: bool = False) -> None:
        """Look at what is due to be looked at. `suspended`: nothing is to be written for now.

        `brief`: a pass waits, so only what was just seen and is soon looked at. Raises ReconcilerError where the
        cluster cannot be read.
        """
        ...

    async def close(self) -> None:
        """End what still runs."""
        ...


class Unattended:
    """Nobody cares for drift: a pass makes good what it finds, as each object's own policy allows."""

    def __init__(self, cache: LiveCache) -> None:
        self.wake: Callable[[float], None] = lambda _delay: None
        self._cache = cache

    def seen(self, identity: Identity, old: Packed | None, new: Packed | None) -> None:
        """Nothing."""

    def in_a_pass(self, change: Change) -> Change | None:
        return change

    def forces(self, change: Change) -> bool:
        manifest = change.manifest
        heals = manifest is not None and manifest.policy.drift is DriftMode.HEAL
        return heals and same_text(change, as_seen(change, self._cache))

    def made(self, result: ObjectResult, live: Live | None, left: Left) -> None:
        """Nothing."""

    def passed(self, manifests: Manifests, *, compared: bool = True) -> None:
        """Nothing."""

    async def attend(self, borrow: Borrow, *, suspended: bool, brief: bool = False) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


def as_seen(change: Change, cache: LiveCache) -> Live | None:
    """The object as it was last read. What our labels do not find is in no cache."""
    return cache.get(change.identity) or change.stray


def drifted(change: Change, live: Live | None) -> bool:
    """Whether somebody else made every difference that a pass has found."""
    theirs = all(field.note or field.before is ABSENT for field in change.fields)
    return bool(change.fields) and theirs and same_text(change, live)


def same_text(change: Change, live: Live | None) -> bool:
    """Whether `live` was last applied from this very text: then what differs was changed by somebody else."""
    if live is None or change.manifest is None:
        return False
    origin = (change.manifest.object["metadata"].get("annotations") or {}).get(ANNOTATION_ORIGIN)
    return live.annotations.get(ANNOTATION_ORIGIN) == origin
