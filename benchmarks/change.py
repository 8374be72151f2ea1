"""What one changed line costs in a repository of 5,000 objects that is applied already, on a real API server.

    python benchmarks/change.py [--commits 20]

Everything is real: a Git repository, the source room, the engine, a fresh etcd and kube-apiserver (tests/controlplane,
without controllers). A commit changes one ConfigMap; the clock runs from the trigger (a poll) until it is applied.
Beside it, in the same run, `kubectl apply --server-side -f` of the same folder, which is what a script would do.
The last line is JSON: {"p95_ms", "median_ms", "blobs", "writes", "idle_requests", "rss_mb", "kubectl_s"}: `blobs`
parsed and `writes` sent a commit, `idle_requests` of ten polls without a change, `rss_mb` the most that was in memory.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from first_sync import BIN, on_fresh_server, timed

from reconciler.clock import SystemClock
from reconciler.cluster.connect import connect
from reconciler.cluster.state import StateStore
from reconciler.engine.claims import Claims
from reconciler.engine.reconciler import Reconciler, Surroundings
from reconciler.model.config import SourceConfig
from reconciler.source.repository import GitSource

OBJECTS = 5000
NAMESPACES = 10


def config_map(number: int, value: str) -> str:
    metadata = {"name": f"settings-{number:04}", "namespace": f"team-{number % NAMESPACES}"}
    data = {"value": value, **{f"KEY_{n}": f"a value of some length, number {n}" for n in range(20)}}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def git(folder: Path, *command: str) -> None:
    names = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "a@example.com"}
    names |= {"GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True, env={**os.environ, **names})


def repository(folder: Path) -> None:
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team-{n}"}} for n in range(NAMESPACES)]
    (folder / "00-namespaces.yaml").write_text(yaml.safe_dump_all(spaces))
    for number in range(OBJECTS):
        (folder / f"settings-{number:04}.yaml").write_text(config_map(number, "first"))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "Start")


async def measure(server: Path, folder: Path, commits: int) -> dict[str, Any]:
    clock, random = SystemClock(), Random(1)
    cluster = await connect(str(server / "admin.kubeconfig"), clock=clock, random=random)
    store = StateStore(cluster, "default", clock=clock)
    config = SourceConfig(name="settings", url=str(folder))
    source = GitSource(config, server / "cache", clock=clock, random=random)
    around = Surroundings(cluster, store, "bench", Claims(), clock, random, lambda _event: None)
    reconciler = Reconciler(config, source, around)
    await reconciler.poll()
    result = await reconciler.work()
    if result is None or not result.ok:
        raise SystemExit("the first sync failed")
    await asyncio.sleep(3)  # the state is written at most once a second
    idle = sum(cluster.requests.values())
    for _ in range(10):
        await reconciler.poll()
        await reconciler.work()
    idle = sum(cluster.requests.values()) - idle
    times, writes, blobs = [], 0, 0
    for number in range(commits):
        (folder / f"settings-{number:04}.yaml").write_text(config_map(number, f"second {number}"))
        git(folder, "commit", "--quiet", "-am", f"Change {number}")
        before = sum(count for kind, count in cluster.requests.items() if kind.verb == "apply")
        began = time.perf_counter()
        await reconciler.poll()
        result = await reconciler.work()
        times.append(time.perf_counter() - began)
        if result is None or not result.ok:
            raise SystemExit("a change failed")
        writes = max(writes, sum(c for kind, c in cluster.requests.items() if kind.verb == "apply") - before)
        blobs = max(blobs, result.parsed)
        await asyncio.sleep(0.2)
    await reconciler.close()
    await store.close()
    await cluster.close()
    p95 = statistics.quantiles(times, n=20)[-1]
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"p95_ms": round(p95 * 1000), "median_ms": round(statistics.median(times) * 1000)}
    return figures | {"blobs": blobs, "writes": writes, "idle_requests": idle, "rss_mb": round(rss)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=20)
    commits = parser.parse_args().commits
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as work:
        folder = Path(work)
        repository(folder)

        def contenders(server: Path) -> float:
            figures.update(asyncio.run(measure(server, folder, commits)))
            command = [str(BIN / "kubectl"), "apply", "--server-side", "--force-conflicts", "-f", str(folder)]
            return timed(command, KUBECONFIG=str(server / "admin.kubeconfig"))

        figures["kubectl_s"] = round(on_fresh_server(contenders), 1)
    print(f"one line of {OBJECTS} objects: median {figures['median_ms']} ms, 95 of 100 within {figures['p95_ms']} ms")
    print(f"kubectl apply --server-side of the folder: {figures['kubectl_s']} s")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
