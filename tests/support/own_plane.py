"""A control plane that belongs to one test, which may stop parts of it, fill it up, break it, or set its options."""

import asyncio
import json
import sys
import urllib.request
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from build import PARTS, Missing, find
from control_plane import ControlPlane, tail
from kubernetes_server import give_up
from world import World, opened

from reconciler.clock import SystemClock
from reconciler.http.client import HttpTransport


class OwnPlane:
    """The control plane of one test; `options` are ControlPlane's. Skips the test where there is nothing to run."""

    def __init__(self, folder: Path, *, controllers: bool = False, **options: Any) -> None:
        try:
            commands = find()
        except Missing as missing:
            give_up(str(missing))
        self.plane = ControlPlane(commands, folder / "plane", controllers=controllers, **options)

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        """Run a test while the control plane is there. Where it fails, what the server logged is told."""

        async def scenario() -> None:
            await asyncio.to_thread(self.plane.prepare)
            try:
                await self.plane.start()
                await test
            except BaseException:
                sys.stderr.write("\n".join(tail(self.plane.log(part)) for part in PARTS))
                raise
            finally:
                await self.plane.stop()

        asyncio.run(scenario())

    @asynccontextmanager
    async def world(self, *, controllers: bool = False) -> AsyncIterator[World]:
        """The administrator's world. Controllers are there if the plane has them."""
        context = self.plane.as_admin()
        async with opened(World(lambda: HttpTransport(self.plane.url, ssl=context), SystemClock(), "own")) as made:
            yield made

    async def etcd(self, path: str, **body: Any) -> dict[str, Any]:
        """etcd's JSON answer to a call of its own API."""

        def ask() -> dict[str, Any]:
            request = urllib.request.Request(f"{self.plane.etcd}/v3/{path}", json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=30) as answer:
                return dict(json.load(answer))

        return await asyncio.to_thread(ask)

    async def make_room(self) -> None:
        """What an administrator does with a full etcd: forget old revisions, defragment, disarm the alarm."""
        status = await self.etcd("maintenance/status")
        await self.etcd("kv/compaction", revision=status["header"]["revision"], physical=True)
        await self.etcd("maintenance/defragment")
        for alarm in (await self.etcd("maintenance/alarm", action="GET")).get("alarms", ()):
            await self.etcd("maintenance/alarm", action="DEACTIVATE", alarm=alarm["alarm"], memberID=alarm["memberID"])
