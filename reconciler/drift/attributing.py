"""Who wanted it otherwise: asked once for each drift, after it was healed or left alone, never before."""

from typing import Protocol

from reconciler.model.drift import Drift, Wanted


class Attribution(Protocol):
    """Knows Git's history."""

    async def wanted(self, source: str, drift: Drift) -> tuple[Wanted, ...]:
        """The places in Git that state what `drift` changed, the most important first; empty where unknown.

        May take its time: what it delays is the telling, not the healing. Must not raise; what it raises all the same
        is logged, and the drift is told without.
        """
        ...
