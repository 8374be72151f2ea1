"""A source that is tended as a daemon would: whenever there is something to look at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from world import World

from reconciler.daemon.queue import WorkQueue


@asynccontextmanager
async def tended(w: World, name: str = "shop") -> AsyncIterator[None]:
    """Have `tend` called, and `work` where a pass is due, until the context is left."""
    source = w.sources[name]
    queue: WorkQueue[str] = WorkQueue(w.clock)
    soon: set[asyncio.Task[None]] = set()

    def wake(delay: float) -> None:
        task = asyncio.ensure_future(queue.add(name, delay=delay))
        soon.add(task)
        task.add_done_callback(soon.discard)

    async def tend() -> None:
        while (key := await queue.get()) is not None:
            await source.tend()
            if source.due or source.retry_delay == 0:
                await source.work()
            await queue.done(key)
            if (delay := source.retry_delay) is not None:
                await queue.add(key, delay=delay)

    source.on_suspect = wake
    tending = asyncio.create_task(tend())
    wake(0)
    try:
        yield
    finally:
        source.on_suspect = lambda _delay: None
        await queue.close()
        await tending
        await asyncio.gather(*soon, return_exceptions=True)
