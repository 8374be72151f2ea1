"""A registry for the demo, where this machine has one and can build: on loopback, and gone with its folder."""

import asyncio
import json
import os
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

_PATIENCE: Final = 5.0  # seconds
_PLACES: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


@asynccontextmanager
async def local_registry(folder: Path, path: str = _PLACES) -> AsyncIterator[str]:
    """Its host with its port; "" where nothing can be built, or no registry starts.

    Programs are looked for in `path`.
    """
    program = shutil.which("docker-registry", path=path)
    if program is None or shutil.which("buildah", path=path) is None or os.geteuid():
        yield ""
        return
    file, host = _configured(folder)
    quiet = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(program, "serve", str(file), stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield host if await _answers(child, host) else ""
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def _configured(folder: Path) -> tuple[Path, str]:
    """The registry's configuration, and the host that it will be."""
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
    }
    file = folder / "config.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    return file, host


async def _answers(child: Process, host: str) -> bool:
    name, _, port = host.partition(":")
    for _ in range(int(_PATIENCE / 0.05)):
        try:
            _reader, writer = await asyncio.open_connection(name, int(port))
        except OSError:
            if child.returncode is not None:
                return False
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return True
    return False
