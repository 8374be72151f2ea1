"""Work that goes on as long as something else does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lasting(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs each until left, all at once. Nobody waits for them, so one that fails says so itself; the others go on."""
    tasks = [asyncio.create_task(work, name=getattr(work, "__qualname__", None)) for work in works]
    for task in tasks:
        task.add_done_callback(_told)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s has ended, and what needs it stays as it is", task.get_name(), exc_info=error)
