"""What a review of 20 changed lines costs in a repository of 5,000 objects that is applied, on a real API server.

    python benchmarks/plan.py [--changes 20]

`reconciler plan --base main --head change` as a new process, which has no cache: it clones the repository, reads and
renders both revisions and compares both with the server. Then a second plan in one process, as the review of a pull
request that is pushed to again. Beside them, in the same run, `kubectl diff --server-side` of the head's objects. Each
of the 20 changes is one line of another ConfigMap. The server is a fresh etcd and kube-apiserver (tests/controlplane,
without controllers). The last line is JSON:
{"warm_s", "cold_s", "cold_cpu_s", "offline_s", "kubectl_diff_s", "requests"}: `cold_cpu_s` is processor time, which
says more on a busy machine, `offline_s` is `cold_s` without a server, `requests` are those of the second plan.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from change import OBJECTS, config_map, git, repository
from first_sync import BIN, on_fresh_server, timed

from reconciler.cli import main as command_line
from reconciler.cli.reviewing import opened

CHANGES = 2  # the exit code of a plan that has some


def cpu() -> float:
    """Seconds of processor time of all processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plan(folder: Path, *flags: str) -> tuple[float, float]:
    """Seconds of a new process, and of processor time in it and its Git."""
    command = [str(BIN / "reconciler"), "plan", str(folder), "--base", "main", "--head", "change", *flags]
    began, used = time.perf_counter(), cpu()
    done = subprocess.run([*command, "--output", "json"], capture_output=True, text=True, check=False)
    seconds, used = time.perf_counter() - began, cpu() - used
    if done.returncode != CHANGES:
        raise SystemExit(f"the plan failed: {done.stderr or done.stdout[-2000:]}")
    return seconds, used


async def warm(folder: Path, flags: list[str]) -> tuple[float, int]:
    """Seconds and requests of the second of two plans that one process makes."""
    words = ["plan", str(folder), "--base", "main", "--head", "change", *flags]
    async with opened(command_line.parser().parse_args(words)) as reviewing:
        await reviewing.review()
        before, began = reviewing.requests, time.perf_counter()
        await reviewing.review()
        return time.perf_counter() - began, reviewing.requests - before


def measure(server: Path, folder: Path) -> dict[str, Any]:
    admin = str(server / "admin.kubeconfig")
    flags = ["--kubeconfig", admin, "--state-namespace", "default", "--source", "settings"]
    git(folder, "checkout", "--quiet", "main")
    timed([str(BIN / "reconciler"), "apply", str(folder), "--no-wait", "--output", "json", *flags])
    cold, used = plan(folder, *flags)
    seconds, requests = asyncio.run(warm(folder, flags))
    git(folder, "checkout", "--quiet", "change")
    began = time.perf_counter()
    command = [str(BIN / "kubectl"), "diff", "--server-side", "--force-conflicts", "--kubeconfig", admin]
    done = subprocess.run([*command, "-f", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 1:  # there are differences
        raise SystemExit(f"kubectl diff failed: {done.stderr}")
    theirs = time.perf_counter() - began
    return {"warm_s": seconds, "cold_s": cold, "cold_cpu_s": used, "kubectl_diff_s": theirs, "requests": requests}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=20)
    changes = parser.parse_args().changes
    figures: dict[str, Any] = {}

    def contenders(server: Path) -> float:
        figures.update(measure(server, folder))
        return 0.0

    with TemporaryDirectory() as work:
        folder = Path(work)
        repository(folder)
        git(folder, "checkout", "--quiet", "-b", "change")
        for number in range(changes):
            (folder / f"settings-{number:04}.yaml").write_text(config_map(number, "second"))
        git(folder, "commit", "--quiet", "-am", "Change")
        figures["offline_s"], _ = plan(folder, "--offline")
        on_fresh_server(contenders)
    figures = {name: round(value, 2) for name, value in figures.items()}
    print(f"{changes} lines of {OBJECTS} objects: {figures['warm_s']} s the second time, {figures['cold_s']} s anew")
    print(f"kubectl diff of the folder: {figures['kubectl_diff_s']} s")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
