"""A sandbox behind HTTP that counts what a client writes, acts when the n-th write arrives, or hangs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from reconciler.clock import SystemClock
from reconciler.http.transport import Request, Response, Stream
from reconciler.sandbox.http import serve
from reconciler.sandbox.kubeconfig import kubeconfig
from reconciler.sandbox.kubelet.behavior import Timing
from reconciler.sandbox.server import Lines, Sandbox
from reconciler.sandbox.simulation import Simulation

_QUICK = Timing(start=0.02, ready=0.02, stop=0.02, job=0.1)


class Gate:
    """Stands where the HTTP server expects a Sandbox. Controllers and nodes do not come through here."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.writes: list[str] = []
        self.before: Callable[[int], None] = lambda _number: None  # told the number of a write, from 1
        self.after: Callable[[int], None] = lambda _number: None  # when it was done and not yet answered
        self.hangs = False  # take requests, and never answer
        self._end = asyncio.Event()

    def answer(self, request: Request) -> Response:
        if request.method == "GET" or ("dryRun", "All") in request.query:
            return self.sandbox.answer(request)
        self.writes.append(f"{request.method} {request.path}")
        number = len(self.writes)
        self.before(number)
        response = self.sandbox.answer(request)
        self.after(number)
        return response

    def is_stream(self, request: Request) -> bool:
        return self.hangs or self.sandbox.is_stream(request)

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        return self._silence() if self.hangs else self.sandbox.stream(request)

    @asynccontextmanager
    async def _silence(self) -> AsyncIterator[Stream]:
        await self._end.wait()
        yield Lines(503, {}, _nothing())

    def close(self) -> None:
        self._end.set()
        self.sandbox.close()


async def _nothing() -> AsyncIterator[bytes]:
    for line in ():
        yield line


@asynccontextmanager
async def gate(file: Path, *, nodes: bool) -> AsyncIterator[Gate]:
    """Serve a new cluster on the running loop; `file` becomes its kubeconfig."""
    made = Gate(Sandbox(clock=SystemClock()))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(made, port=0))
        file.write_text(kubeconfig(url))  # noqa: ASYNC240 - once, at the start
        if nodes:
            simulation = Simulation(made.sandbox.transport(), clock=SystemClock(), random=Random(0), timing=_QUICK)
            await stack.enter_async_context(simulation)
        yield made
