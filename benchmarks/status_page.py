"""What a look at the status page costs a daemon that keeps 5,000 objects.

    python benchmarks/status_page.py [--objects 5000]

The daemon and its cluster (`reconciler sandbox`) are processes. Each page is asked for eight times, under eight
addresses and so far apart that all of it is made anew; the processor time is the daemon's own, from /proc, and holds
whatever else it does. Then 50 browsers follow for ten seconds while nothing happens. The last line is JSON: by page
{"bytes", "cpu_ms", "wall_ms"} (uncompressed; the median of the walls), and {"following_cpu_percent"} of one core.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from git_repository import Repository  # noqa: E402
from processes import DaemonProcess, Process, free_port, until  # noqa: E402

TIMES = 8
APART = 1.1  # seconds after which nothing of the last page is used again
FOLLOWERS = 50
PAGES = ("/", "/sources", "/objects", "/objects?q=settings", "/drift", "/history", "/api/status")


def specs(objects: int) -> dict[str, str]:
    """In 50 namespaces, half of the objects ConfigMaps, half Services."""
    spaces = (f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: team-{n}}}\n" for n in range(50))
    files = {"namespaces.yaml": "---\n".join(spaces)}
    for number in range(objects):
        kind, rest = ("Service", "spec: {ports: [{port: 80}]}") if number % 2 else ("ConfigMap", "data: {key: value}")
        where = f"metadata: {{name: settings-{number}, namespace: team-{number % 50}}}"
        files[f"o{number}.yaml"] = f"apiVersion: v1\nkind: {kind}\n{where}\n{rest}\n"
    return files


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def page(daemon: DaemonProcess, path: str) -> dict[str, float]:
    joint = "&" if "?" in path else "?"
    walls, size, before = [], 0, cpu(daemon.pid)
    for number in range(TIMES):
        time.sleep(APART)
        start = time.perf_counter()
        with urlopen(f"{daemon.url}{path}{joint}n={number}", timeout=30) as answer:
            size = len(answer.read())
        walls.append(time.perf_counter() - start)
    used = (cpu(daemon.pid) - before) / TIMES
    return {"bytes": size, "cpu_ms": round(used * 1000, 1), "wall_ms": round(statistics.median(walls) * 1000, 1)}


def following(daemon: DaemonProcess) -> float:
    with ExitStack() as stack:
        for _ in range(FOLLOWERS):
            connection = HTTPConnection(daemon.url.removeprefix("http://"), timeout=30)
            stack.callback(connection.close)
            connection.request("GET", "/events")
            assert connection.getresponse().status == 200
        before, start = cpu(daemon.pid), time.perf_counter()
        time.sleep(10)
        return round((cpu(daemon.pid) - before) / (time.perf_counter() - start) * 100, 1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--objects", type=int, default=5000)
    objects = arguments.parse_args().objects
    with TemporaryDirectory() as folder:
        here = Path(folder)
        commit = Repository(here / "repository").commit(specs(objects))
        port = free_port()
        server = ["sandbox", "--port", str(port), "--kubeconfig", str(here / "kubeconfig")]
        source = {"name": "shop", "url": str(here / "repository")}
        with Process(server, here / "sandbox") as sandbox:
            until(lambda: "serving" in sandbox.output, "the sandbox serves")
            with DaemonProcess(here / "daemon", [source], here / "kubeconfig") as daemon:
                daemon.until(lambda: daemon.heard("sync-finished", revision=commit), "synced", seconds=300)
                healthy = f'reconciler_objects{{health="healthy",source="shop"}} {objects + 50}.0'
                daemon.until(lambda: healthy in daemon.ask("/metrics")[1], "all assessed", seconds=60)
                found: dict[str, object] = {path: page(daemon, path) for path in PAGES}
                found["following_cpu_percent"] = following(daemon)
                daemon.stop()
    for path in PAGES:
        print(path, found[path])
    print(json.dumps(found))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.stderr}")
