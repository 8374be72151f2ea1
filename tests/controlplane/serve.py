"""Run a control plane with simulated nodes: python tests/controlplane/serve.py FOLDER

FOLDER/admin.kubeconfig is its administrator's; FOLDER/server.json appears once it is ready. It ends when it is told to
(Ctrl-C, SIGTERM), when a part of it dies or, with --while-used, when nobody holds a shared lock on FOLDER/users any
more: the kernel drops the lock of a test run however that ends, so nothing is left behind.
"""

# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from build import Missing, find
from control_plane import ControlPlane, Failed

SKIP = 3  # the exit status that says: there are no programs to run


async def serve(folder: Path, *, controllers: bool, nodes: int, while_used: bool) -> None:
    """Serve until one of the reasons to end. Raises Missing or Failed."""
    plane = ControlPlane(find(), folder, controllers=controllers)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if while_used:
        _unused = threading.Thread(target=_wait_unused, args=(folder / "users", loop, stop), daemon=True)
        _unused.start()
    ready = folder / "server.json"
    started = time.monotonic()
    await asyncio.to_thread(plane.prepare)
    try:
        await plane.start()
        async with _nodes(plane, nodes):
            said = {"url": plane.url, "seconds": round(time.monotonic() - started, 2), "pids": plane.pids}
            draft = folder / "server.json.new"
            draft.write_text(json.dumps(said))
            draft.replace(ready)
            print(f"ready after {said['seconds']} s: {plane.url}, {folder}/admin.kubeconfig", flush=True)
            stopped, died = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(plane.ended())
            await asyncio.wait((stopped, died), return_when=asyncio.FIRST_COMPLETED)
            if not stopped.done():
                raise Failed(died.result())
            died.cancel()
    finally:
        ready.unlink(missing_ok=True)
        await plane.stop()


@contextlib.asynccontextmanager
async def _nodes(plane: ControlPlane, number: int) -> AsyncIterator[None]:
    """Nodes whose pods run, and cost nothing."""
    if not number:
        yield
        return
    from reconciler.clock import SystemClock
    from reconciler.http.client import HttpTransport
    from reconciler.sandbox.nodes import Pool
    from reconciler.sandbox.simulation import Simulation

    transport = HttpTransport(plane.url, ssl=plane.as_admin())
    simulated = Simulation(
        transport, clock=SystemClock(), random=Random(), nodes=[Pool("node", number)], controllers=(), scheduler=False
    )
    try:
        async with simulated:
            yield
    finally:
        await transport.close()


def _wait_unused(path: Path, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Wait for an exclusive lock, which is granted once nobody holds a shared one; it is kept until the end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    loop.call_soon_threadsafe(stop.set)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-controllers", action="store_true", help="only etcd and the API server")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="simulated nodes (default: 3)")
    parser.add_argument("--while-used", action="store_true", help="end when nobody locks FOLDER/users")
    options = parser.parse_args()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    controllers = not options.no_controllers
    nodes = options.nodes if controllers else 0
    try:
        asyncio.run(serve(folder, controllers=controllers, nodes=nodes, while_used=options.while_used))
    except Missing as missing:
        print(missing, file=sys.stderr)
        sys.exit(SKIP)
    except Failed as failed:
        sys.exit(str(failed))


if __name__ == "__main__":
    main()
