"""How long `reconciler --help` and `reconciler plan` of 1,000 specs take, as new processes.

    .venv/bin/python benchmarks/cli.py

Beside them, in the same run, a bare Python interpreter's start and `yaml.safe_load` of the same files.
The last line is JSON: {"help_ms", "plan_1000_s"}, medians.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

RECONCILER = str(Path(sys.executable).parent / "reconciler")
SPECS = 1000


def seconds(*command: str, runs: int) -> float:
    """The median wall time of `command`, which may exit 0 or 2."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        times.append(time.perf_counter() - began)
        if done.returncode not in (0, 2):
            raise SystemExit(f"{command} failed: {done.stderr.decode()}")
    return statistics.median(times)


def repository(root: Path) -> None:
    """1,000 Deployment specs in 100 files, in 20 namespaces."""
    for file in range(100):
        documents = []
        for n in range(SPECS // 100):
            number = file * 10 + n
            documents.append(
                f"""apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {{name: app-{number}, namespace: team-{number % 20}, labels: {{team: team-{number % 20}}}}}
spec:
  image: registry.example.com/app-{number}:1.{number}
  replicas: {number % 5 + 1}
  ports: [{{name: http, containerPort: 8080}}]
  env: {{LOG_LEVEL: info, NUMBER: "{number}"}}
  readinessProbe: {{httpGet: {{path: /healthz, port: http}}}}
  resources: {{requests: {{cpu: 100m, memory: 128Mi}}, limits: {{memory: 128Mi}}}}
  expose: [{{port: 80, targetPort: http}}]
"""
            )
        (root / f"apps-{file:03}.yaml").write_text("---\n".join(documents))


def main() -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        repository(root)
        read = f"for p in pathlib.Path({folder!r}).iterdir(): list(yaml.safe_load_all(p.read_text()))"
        load = f"import pathlib, yaml\n{read}"
        bare = seconds(sys.executable, "-c", "pass", runs=11)
        peer = seconds(sys.executable, "-c", load, runs=3)
        shown = seconds(RECONCILER, "--help", runs=11)
        plan = seconds(RECONCILER, "plan", "--offline", folder, runs=3)
    print(f"bare interpreter                 {bare * 1000:8.0f} ms")
    print(f"reconciler --help                {shown * 1000:8.0f} ms   {shown / bare:.1f} × the bare interpreter")
    print(f"yaml.safe_load of {SPECS} specs     {peer * 1000:8.0f} ms")
    print(f"reconciler plan of {SPECS} specs    {plan * 1000:8.0f} ms   {plan / peer:.2f} × yaml.safe_load alone")
    print(json.dumps({"help_ms": round(shown * 1000), "plan_1000_s": round(plan, 2)}))


if __name__ == "__main__":
    main()
