"""The commands of reconciler as processes of their own: started, waited for, ended; never left running."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.error import HTTPError
from urllib.request import urlopen

from ports import free_ports

COMMAND = str(Path(sys.executable).with_name("reconciler"))
PATIENCE = 30.0  # seconds on a busy machine, for what takes less than one on a free one
LIMIT = (
    15.0  # seconds from SIGTERM to the end: five are promised (tests/daemon/test_sigterm.py), and a machine may be busy
)
WAITING = "waiting for the API server …\n"  # what a command may come to say on a busy machine, before all else


def until(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """What `condition` returns as soon as that is true of it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return found


def free_port() -> int:
    """A port of loopback that is nobody else's."""
    return free_ports(1)[0]


def command(*arguments: str, kubeconfig: Path) -> str:
    """Run a command to its end; what it said. Raises AssertionError when it failed."""
    done = subprocess.run(
        [COMMAND, *arguments, "--kubeconfig", str(kubeconfig)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Process:
    """One command. Use as a context manager; `output` is what it has said so far, on both streams."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
            self._child = subprocess.Popen([COMMAND, *arguments], stdout=file, stderr=file, env=environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._child.poll()

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()
        self._child.wait()

    def terminate(self) -> float:
        """SIGTERM; the seconds that it took to end, successfully."""
        start = time.monotonic()
        status = self.stop()
        assert status == 0, (status, self.output)
        return time.monotonic() - start

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self._child.terminate()
        return self._child.wait(timeout=PATIENCE)


class DaemonProcess(Process):
    """`reconciler run`, whose events are on its standard error, as JSON lines; or what else is configured like it."""

    verb: ClassVar[Sequence[str]] = ("run", "--log-format", "json")

    def __init__(self, folder: Path, sources: list[Mapping[str, Any]], kubeconfig: Path, **config: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        file = folder / "config.yaml"
        stated = {
            "sources": sources,
            "kubeconfig": str(kubeconfig),
            "cacheDir": str(folder / "cache"),
            "listen": f"127.0.0.1:{port}",
            **config,
        }
        file.write_text(json.dumps(stated))  # JSON is YAML
        super().__init__([*self.verb, "--config", str(file)], folder / "log")

    def events(self, word: str = "") -> list[dict[str, str]]:
        """Those that hold `word`, which is looked for before they are read: there may be thousands."""
        lines = [line for line in self.output.splitlines() if word in line]
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def until(self, condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
        """Wait for `condition`, as long as the daemon lives."""

        def alive() -> Any:
            found = condition()
            assert found or self.status is None, self.output
            return found

        try:
            return until(alive, what, seconds=seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.output[-3000:]}") from None

    def heard(self, kind: str, **about: str) -> list[str]:
        """Messages of the events of a kind, of those that match `about`."""
        return [e["message"] for e in self.events(kind) if e["type"] == kind and about.items() <= e.items()]

    def until_heard(self, kind: str, **about: str) -> str:
        """The first message of a kind."""
        return str(self.until(lambda: self.heard(kind, **about), f"{kind} {about}")[0])

    def until_synced(self, commit: str, *, seconds: float = PATIENCE) -> None:
        """Wait until a pass over `commit` ended well."""
        self.until(lambda: self.heard("sync-finished", revision=commit), f"a pass over {commit}", seconds=seconds)

    def ask(self, path: str) -> tuple[int, str]:
        """The status and body of one of its endpoints; status 0 while nobody listens."""
        try:
            with urlopen(f"{self.url}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""
