"""Differences that an apply does not change: the server's own spelling of a value, or what a webhook makes of it.

They are no drift (rule 13). Each is remembered by what Git states and by what is found, and tried again after a pause
that grows: the webhook may be gone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from reconciler.clock import Clock
from reconciler.kube.kinds import SECRET
from reconciler.kube.names import Identity
from reconciler.model.change import Change, FieldChange

FIRST: Final = 600.0  # seconds until what had no effect is tried again; doubles
LONGEST: Final = 6 * 3600.0


@dataclass(slots=True)
class _Known:
    digest: str
    fields: tuple[FieldChange, ...]
    until: float
    pause: float


class Futile:
    """One source's memory, of objects that Git states."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[Identity, _Known] = {}

    def add(self, change: Change, fields: tuple[FieldChange, ...]) -> None:
        """Applying `change` left `fields` as they are."""
        if not fields or change.manifest is None or change.identity.group_kind == SECRET:
            return
        known = self._known.get(change.identity)
        again = known is not None and (known.digest, known.fields) == (change.manifest.digest, fields)
        pause = min(LONGEST, 2 * known.pause) if known is not None and again else FIRST
        until = self._clock.monotonic() + pause
        self._known[change.identity] = _Known(change.manifest.digest, fields, until, pause)

    def holds(self, change: Change) -> bool:
        """Whether exactly this was tried lately, so that each status update need not ask anew."""
        known = self._known.get(change.identity)
        return known is not None and self.same(change, change.fields) and self._clock.monotonic() < known.until

    def same(self, change: Change, fields: tuple[FieldChange, ...]) -> bool:
        """Whether `fields` are what an apply of `change` was seen to leave, lately or not."""
        known = self._known.get(change.identity)
        return known is not None and (known.digest, known.fields) == (change.digest, fields)

    def forget(self, stated: Collection[Identity]) -> None:
        """Keep nothing about objects that are not among `stated`."""
        self._known = {identity: known for identity, known in self._known.items() if identity in stated}
