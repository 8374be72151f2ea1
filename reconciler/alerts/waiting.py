"""Waiting for the first of several things."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def either(*waits: Coroutine[Any, Any, Any]) -> None:
    """Return when the first of `waits` has ended, and cancel the others. What it raised is raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
