"""How fast the sandbox starts and takes server-side applies over HTTP.

    python benchmarks/sandbox.py [--objects 1000] [--connections 8]

The server runs in a process of its own, so that client and server have a core each. The last line is JSON:
`writes_per_s` server-side applies answered in a second, half Deployments, half Services; `start_s` seconds from the
start of the server's process to its first answer; `apply_s` seconds for 1,000 Deployments at 0 replicas and 1,000
Services applied by the engine (null where the engine was not measured).
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp

SERVER = """
import asyncio
from reconciler.clock import SystemClock
from reconciler.sandbox.http import serve
from reconciler.sandbox.server import Sandbox

async def main():
    async with serve(Sandbox(clock=SystemClock())) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
APPLY = {"content-type": "application/apply-patch+yaml"}


def deployment(name: str) -> dict[str, Any]:
    labels = {"app": name, "team": "shop"}
    container = {
        "name": name,
        "image": f"registry.example.com/shop/{name}@sha256:{'0' * 64}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{i}", "value": f"value {i}"} for i in range(8)],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "config", "configMap": {"name": name}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def requests(count: int) -> Iterator[tuple[str, bytes]]:
    """Paths and bodies, Deployments and Services in turn."""
    for i in range(count // 2):
        name = f"app-{i:05}"
        yield f"/apis/apps/v1/namespaces/default/deployments/{name}", json.dumps(deployment(name)).encode()
        yield f"/api/v1/namespaces/default/services/{name}", json.dumps(service(name)).encode()


def start() -> tuple[subprocess.Popen[str], str, float]:
    """The server's process, its URL, and the seconds until it answered."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise RuntimeError("the server has no output")
    url = process.stdout.readline().strip()
    asyncio.run(_ready(url))
    return process, url, time.perf_counter() - began


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession(url) as session, session.get("/readyz") as answer:
        answer.raise_for_status()


async def writes(url: str, count: int, connections: int) -> float:
    """Server-side applies in a second."""
    waiting = requests(count)
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(url, connector=connector) as session:

        async def work() -> None:
            for path, body in waiting:
                async with session.patch(f"{path}?fieldManager=bench", data=body, headers=APPLY) as answer:
                    if answer.status not in (200, 201):
                        raise RuntimeError(await answer.text())
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        return count / (time.perf_counter() - began)


def measure(count: int, connections: int, engine: Callable[[str], Awaitable[float]] | None = None) -> dict[str, Any]:
    """Everything. `engine` applies 1,000 apps to a fresh server at a URL and returns the seconds that took."""
    process, url, start_s = start()
    try:
        rate = asyncio.run(writes(url, count, connections))
    finally:
        process.terminate()
        process.wait()
    apply_s = None
    if engine is not None:
        process, url, _ = start()
        try:
            apply_s = round(asyncio.run(_await(engine(url))), 2)
        finally:
            process.terminate()
            process.wait()
    return {"writes_per_s": round(rate, 1), "start_s": round(start_s, 3), "apply_s": apply_s}


async def _await(work: Awaitable[float]) -> float:
    return await work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    print(json.dumps(measure(options.objects, options.connections)))


if __name__ == "__main__":
    main()
