"""What a kubelet would do with a Job of ours, as far as that can be done on this machine."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def run_containers(made: dict[str, Any], log: list[str]) -> None:
    """Run what a kubelet would run, one container after the other, on this machine."""
    spec = made["spec"]["template"]["spec"]
    python = str(Path(sys.executable).parent)
    for container in (*spec["initContainers"], *spec["containers"]):
        stated = {one["name"]: one["value"] for one in container.get("env", ())}
        environment = {**stated, "PATH": f"{python}:{stated.get('PATH', os.environ['PATH'])}"}
        command = [word.replace("$$", "$") for word in container["command"]]  # as a kubelet does
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        log.append(done.stdout + done.stderr)
        assert done.returncode == 0, (container["name"], done.stdout, done.stderr)
