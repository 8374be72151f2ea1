"""What builds images: one protocol, so that a build can run on this machine or in the cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from reconciler.images.inputs import Inputs
from reconciler.images.reference import Reference
from reconciler.model.snapshot import Blobs

TIMEOUT: Final = 1800.0  # seconds
QUOTA: Final = 10 * 1024 * 1024 * 1024  # bytes
TAIL: Final = 50  # lines of a log that are kept with a failure

LEFT: Final = "left to the next life"  # with this word a build is cancelled because the daemon ends

Log = Callable[[str], None]
"""Takes one line of a build's log at a time. Must not block and must not raise."""


@dataclass(frozen=True, slots=True)
class Work:
    """One build: its inputs, where the result goes, and what it may cost.

    `bases` are the images that the Containerfile begins from, by how it writes them, each with its digest.
    """

    target: Reference
    inputs: Inputs
    bases: Mapping[str, Reference] = field(default_factory=dict)
    timeout: float = TIMEOUT
    quota: int = QUOTA


class Builder(Protocol):
    """Builds and pushes. Cancelling a build ends whatever it started; with the word LEFT what can go on may go on."""

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        """Build, push to `work.target`, and return the digest: an index's where there are several platforms.

        Raises BuildFailed, or what a registry answers (RegistryUnreachable and its kin).
        """
        ...
