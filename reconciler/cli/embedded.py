"""The embedded cluster for `sandbox` and `demo`: API server over HTTP, controllers, nodes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from reconciler.clock import SystemClock
from reconciler.sandbox.http import serve
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation


@asynccontextmanager
async def embedded(*, port: int = 0, nodes: bool = True) -> AsyncIterator[str]:
    """Run it until the context ends; yields the URL of the API server, on loopback."""
    clock = SystemClock()
    sandbox = Sandbox(clock=clock)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(sandbox, port=port))
        if nodes:
            simulation = Simulation(sandbox.transport(), clock=clock, random=Random(0))  # noqa: S311 - simulated
            await stack.enter_async_context(simulation)
        yield url
