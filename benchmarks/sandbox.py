"""How fast the sandbox starts and takes server-side applies over HTTP.

    python benchmarks/sandbox.py [--objects 1000] [--connections 8]

The server runs in a process of its own, so that client and server have a core each. The last line is JSON:

writes_per_s  server-side applies answered in a second, half Deployments, half Services
start_s       seconds from the start of the server's process to its first answer
apply_s       seconds for 1,000 Deployments at 0 replicas and 1,000 Services applied by the engine, null if not measured
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
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
RECONCILER = str(Path(sys.executable).parent / "reconciler")
APPS = 1000
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


def fill(folder: Path) -> None:
    """The apps as files, ten in each; JSON is YAML."""
    for start_at in range(0, APPS, 10):
        names = [f"app-{i:05}" for i in range(start_at, start_at + 10)]
        documents = [json.dumps(make(name)) for name in names for make in (deployment, service)]
        (folder / f"apps-{start_at:05}.yaml").write_text("\n---\n".join(documents))


def whole(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A sandbox with controllers; its process and URL. The kubeconfig lies in `folder`."""
    command = [RECONCILER, "sandbox", "--kubeconfig", str(folder / "kubeconfig")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise RuntimeError("the sandbox has no output")
    return process, process.stdout.readline().split()[-1]


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()


def applied(folder: Path) -> tuple[float, float]:
    """Seconds that the engine takes, and that the bare loop takes, each on a fresh sandbox."""
    specs = folder / "specs"
    specs.mkdir()
    fill(specs)
    process, _url = whole(folder)
    try:
        command = [RECONCILER, "apply", str(specs), "--no-wait", "--state-namespace", "default", "--output", "json"]
        began = time.perf_counter()
        subprocess.run([*command, "--kubeconfig", str(folder / "kubeconfig")], check=True, capture_output=True)
        engine = time.perf_counter() - began
    finally:
        stop(process)
    process, url = whole(folder)
    try:
        bare = 2 * APPS / asyncio.run(writes(url, 2 * APPS, 8))
    finally:
        stop(process)
    return engine, bare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    process, url, start_s = start()
    try:
        rate = asyncio.run(writes(url, options.objects, options.connections))
    finally:
        stop(process)
    print(f"the server answers after {start_s:.2f} s and takes {rate:.0f} server-side applies a second")
    with TemporaryDirectory() as folder:
        engine, bare = applied(Path(folder))
    print(
        f"the engine applies {2 * APPS} objects in {engine:.1f} s, {engine / bare:.2f} × the bare loop's {bare:.1f} s"
    )
    print(json.dumps({"writes_per_s": round(rate, 1), "start_s": round(start_s, 3), "apply_s": round(engine, 2)}))


if __name__ == "__main__":
    main()
