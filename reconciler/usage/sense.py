"""Which measurements can be meant: one that cannot says nothing, whoever made it."""

from datetime import datetime, timedelta
from typing import Final

from reconciler.model.usage import SLACK

MOST_CORES: Final = 1e5  # that one container may use
MOST_BYTES: Final = 2.0**50


def nonsense(*, cpu: float = 0.0, memory: float, when: datetime, now: datetime, oldest: timedelta = SLACK) -> str:
    """Why what is said of one container at `when` (cores, and bytes) cannot be meant, or is no news; "" where it is."""
    if not 0 <= cpu <= MOST_CORES:  # so is NaN
        return f"{cpu:.3g} cores"
    if not 0 <= memory <= MOST_BYTES:
        return f"{memory:.3g} bytes"
    return "" if now - oldest <= when <= now + SLACK else f"measured at {when:%Y-%m-%d %H:%M} UTC"
