"""A builder that puts something under the tag, after so many seconds."""

import asyncio

from memory_registry import MemoryRegistry

from reconciler.errors import BuildFailed
from reconciler.images.builder import Log, Work
from reconciler.model.snapshot import Blobs


class MemoryBuilder:
    """`built` are the repositories of what was built, `cancelled` of what was not brought to its end."""

    def __init__(self, registry: MemoryRegistry, seconds: float = 0.0) -> None:
        self._registry = registry
        self.seconds = seconds
        self.built: list[str] = []
        self.cancelled: list[str] = []
        self.fails = False

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        target = work.target
        log("STEP 1/1: FROM scratch")
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled.append(str(target.repository))
            raise
        if self.fails:
            raise BuildFailed("no luck", where=str(target), log=("STEP 1/1: FROM scratch", "error: it broke"))
        self.built.append(str(target.repository))
        return self._registry.put(target.repository.path, target.tag, str(target).encode())
