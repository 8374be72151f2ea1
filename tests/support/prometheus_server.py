"""A real Prometheus on loopback; where it has a target, it scrapes that every second and evaluates rules as often."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml
from processes import free_port, until


class Prometheus:
    """Use as a context manager. `target` is host:port of what is scraped, `rules` are files of rules.

    What it stores is in `folder`/data, and may be there before it starts. `flags` are further ones of its own.
    """

    def __init__(
        self, program: Path, folder: Path, *flags: str, target: str | None = None, rules: Sequence[Path] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        config = folder / "prometheus.yaml"
        scrape = [{"job_name": "reconciler", "static_configs": [{"targets": [target]}]}] if target else []
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config.write_text(
            yaml.safe_dump({"global": every, "rule_files": [str(file) for file in rules], "scrape_configs": scrape})
        )
        self._command = [
            str(program),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
            *flags,
        ]
        self._log = folder / "log"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        try:
            until(self._ready, "Prometheus is ready")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def ask(self, path: str, **words: str) -> Any:
        """The data of an answer of its API. Raises HTTPError for a query that it does not take."""
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(words)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """What a query finds now."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire, by name."""
        found = self.ask("alerts")["alerts"]
        return {each["labels"]["alertname"]: each for each in found if each["state"] == "firing"}

    def _ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(errors="replace")
        try:
            with urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _end(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)
