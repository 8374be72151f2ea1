"""Whether an object does what it is for."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """In the order of concern, least first."""

    HEALTHY = "healthy"
    SUSPENDED = "suspended"
    PROGRESSING = "progressing"
    UNKNOWN = "unknown"
    MISSING = "missing"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True)
class Health:
    """A status and one clause for people: "2 of 3 replicas ready"."""

    status: Status
    message: str = ""

    @property
    def ready(self) -> bool:
        """Whether dependents may start: suspended on purpose counts as ready."""
        return self.status in (Status.HEALTHY, Status.SUSPENDED)
