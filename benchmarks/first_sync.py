"""How long the first sync of 1,000 apps of 4 objects takes on a real API server, beside kubectl and a bare loop.

    python benchmarks/first_sync.py [--apps 1000]

Each contender gets a fresh etcd and kube-apiserver (tests/controlplane; without controllers) on the same machine:
`reconciler apply --no-wait` as a new process, `kubectl apply --server-side -f` of the same files, and a bare loop of 8
connections that sends the same server-side applies. The last line is JSON: seconds, and the engine's ratios to the two.
"""

import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
NAMESPACES = 10
CONNECTIONS = 8


def app(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path and the object of each of an app's four."""
    name, namespace = f"app-{number:04}", f"team-{number % NAMESPACES}"
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    container = {
        "name": name,
        "image": f"registry.example.com/{name}:1.0",
        "ports": [{"name": "http", "containerPort": 8080}],
        "envFrom": [{"configMapRef": {"name": name}}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    pod = {"serviceAccountName": name, "containers": [container]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    core = f"/api/v1/namespaces/{namespace}"
    yield f"{core}/serviceaccounts/{name}", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    data = {"LOG_LEVEL": "info", "NUMBER": str(number)}
    yield f"{core}/configmaps/{name}", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    service = {"selector": {"app": name}, "ports": ports}
    yield f"{core}/services/{name}", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    yield f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", deployment


def spaces() -> list[dict[str, Any]]:
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team-{n}"}} for n in range(NAMESPACES)]


def fill(folder: Path, apps: int) -> None:
    """Specs as people keep them: the namespaces, and a file for each app."""
    (folder / "00-namespaces.yaml").write_text(yaml.safe_dump_all(spaces()))
    for number in range(apps):
        (folder / f"app-{number:04}.yaml").write_text(yaml.safe_dump_all([obj for _path, obj in app(number)]))


def on_fresh_server(contender: Callable[[Path], float]) -> float:
    """Seconds of `contender`, which gets the folder of a new server with its kubeconfig and certificates."""
    with TemporaryDirectory(prefix="first-sync-") as folder:
        command = [sys.executable, str(ROOT / "tests" / "controlplane" / "serve.py"), folder, "--no-controllers"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            if server.stdout is None or not server.stdout.readline():
                raise SystemExit("there is no control plane to measure on")
            return contender(Path(folder))
        finally:
            server.terminate()
            server.wait()


def timed(command: list[str], **environment: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stderr or done.stdout[-2000:]}")
    return seconds


async def bare(folder: Path, apps: int) -> float:
    """The fewest requests that could do it, on 8 connections."""
    admin = yaml.safe_load((folder / "admin.kubeconfig").read_text())
    cluster, user = admin["clusters"][0]["cluster"], admin["users"][0]["user"]
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    waiting = ((path, json.dumps(obj)) for number in range(apps) for path, obj in app(number))
    headers = {"content-type": "application/apply-patch+yaml"}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    async with aiohttp.ClientSession(cluster["server"], connector=connector, headers=headers) as session:

        async def send(path: str, body: str) -> None:
            async with session.patch(f"{path}?fieldManager=bare", data=body) as answer:
                if answer.status not in (200, 201):
                    raise SystemExit(await answer.text())
                await answer.read()

        async def work() -> None:
            for path, body in waiting:
                await send(path, body)

        began = time.perf_counter()
        for space in spaces():
            await send(f"/api/v1/namespaces/{space['metadata']['name']}", json.dumps(space))
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=1000)
    apps = parser.parse_args().apps
    with TemporaryDirectory() as specs:
        fill(Path(specs), apps)

        def engine(folder: Path) -> float:
            flags = ["--no-wait", "--state-namespace", "default", "--output", "json"]
            command = [str(BIN / "reconciler"), "apply", specs, *flags]
            return timed([*command, "--kubeconfig", str(folder / "admin.kubeconfig")])

        def kubectl(folder: Path) -> float:
            command = [str(BIN / "kubectl"), "apply", "--server-side", "-f", specs]
            return timed(command, KUBECONFIG=str(folder / "admin.kubeconfig"))

        ours = on_fresh_server(engine)
        theirs = on_fresh_server(kubectl)
        least = on_fresh_server(lambda folder: asyncio.run(bare(folder, apps)))
    count = 4 * apps + NAMESPACES
    for name, seconds in (("reconciler apply", ours), ("kubectl apply --server-side", theirs), ("bare loop", least)):
        print(f"{name:28} {seconds:7.1f} s  {count / seconds:6.0f} objects/s  {ours / seconds:5.2f} × for reconciler")
    figures = {"reconciler_s": ours, "kubectl_s": theirs, "bare_s": least}
    ratios = {"of_kubectl": ours / theirs, "of_bare": ours / least}
    print(json.dumps({name: round(value, 2) for name, value in (figures | ratios).items()}))


if __name__ == "__main__":
    main()
