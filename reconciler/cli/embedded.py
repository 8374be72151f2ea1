"""The embedded cluster for `sandbox` and `demo`: API server over HTTP, controllers, nodes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Final

from reconciler.clock import SystemClock
from reconciler.errors import ConfigError
from reconciler.http.transport import Request
from reconciler.sandbox.http import serve
from reconciler.sandbox.nodes import default_nodes
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

_STATE: Final = b'{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "reconciler-system"}}'


@asynccontextmanager
async def embedded(*, port: int = 0, nodes: int | None = 3) -> AsyncIterator[str]:
    """Run it until the context ends; yields the URL of the API server, on loopback.

    `nodes` is how many simulated nodes it has; None for the API server alone, without controllers.
    It has the namespace that state is kept in, so that every verb works at once. Raises ConfigError for a port that
    cannot be had.
    """
    clock = SystemClock()
    sandbox = Sandbox(clock=clock)
    await sandbox.handle(Request("POST", "/api/v1/namespaces", (), {"content-type": "application/json"}, _STATE))
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(serve(sandbox, port=port))
        except OSError as error:
            hint = "--port takes another one; without it any free one is taken"
            raise ConfigError(f"cannot listen on port {port}", why=_reason(error), hint=hint) from None
        if nodes is not None:
            random = Random(0)  # noqa: S311 - simulated
            simulation = Simulation(sandbox.transport(), nodes=default_nodes(nodes), clock=clock, random=random)
            await stack.enter_async_context(simulation)
        yield url


def _reason(error: OSError) -> str:
    """asyncio puts a sentence of its own around what the system said."""
    import os

    return os.strerror(error.errno) if error.errno else str(error)
