"""A real Prometheus scrapes a real daemon: names are good, rules load, one fires, the dashboard finds its data."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from debian import program, required, shared
from deployed import RULES, queries
from gate import gate
from git_repository import Repository
from processes import DaemonProcess, until
from prometheus_server import Prometheus
from texts import NAMESPACE, config


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    return required(program("prometheus", "prometheus", shared(tmp_path_factory, worker_id), service=True))


def look(url: str, prometheus: Path, promtool: Path, folder: Path, repository: Repository) -> None:
    """What Prometheus makes of the daemon at `url`. After a scrape that took more than its second, nothing is there."""

    def found(expression: str) -> list[Any]:
        there: list[Any] = until(lambda: seen.query(expression), expression)
        return there

    with Prometheus(prometheus, folder / "prometheus", target=url.removeprefix("http://"), rules=[RULES]) as seen:
        (target,) = until(lambda: [t for t in seen.ask("targets")["activeTargets"] if t["health"] == "up"], "scraped")
        assert target["lastError"] == ""
        assert found('reconciler_objects{health="healthy"} == 2')
        assert {sample["metric"]["job"] for sample in found("reconciler_build_info")} == {"reconciler"}
        (memory,) = found("process_resident_memory_bytes")
        assert 20e6 < float(memory["value"][1]) < 500e6
        kinds = {sample["metric"]["__name__"] for sample in found('{job="reconciler"}')}
        described = seen.ask("metadata")
        assert all(described[name][0]["help"] for name in kinds if name in described)

        for query in queries():
            seen.ask("query", query=query)

        groups = seen.ask("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) > 15
        until(lambda: all(r["health"] == "ok" for r in _rules(seen)), "every rule was evaluated")
        assert "ReconcilerSpecsInvalid" not in seen.firing()
        repository.commit({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [no]}\n"}, "A mistake")
        fired = until(lambda: seen.firing().get("ReconcilerSpecsInvalid"), "it fires")
        assert fired["annotations"]["summary"] == "Errors in the specs of shop: 1"
        repository.commit({"a.yaml": config("a")}, "Corrected")
        until(lambda: "ReconcilerSpecsInvalid" not in seen.firing(), "it is over")


def _rules(seen: Prometheus) -> list[dict[str, str]]:
    return [rule for group in seen.ask("rules")["groups"] for rule in group["rules"]]


async def test_a_daemon_is_scraped_and_an_alert_fires(tmp_path: Path, prometheus: Path, promtool: Path) -> None:
    repository = Repository(tmp_path / "repository")
    commit = repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
    source = {"name": "shop", "url": str(repository.path), "namespace": "shop", "interval": "1s"}
    async with gate(tmp_path / "kubeconfig", nodes=False):
        with DaemonProcess(
            tmp_path / "daemon", [source], tmp_path / "kubeconfig", stateNamespace="default", install="test"
        ) as daemon:
            await asyncio.to_thread(daemon.until_synced, commit)
            await asyncio.to_thread(look, daemon.url, prometheus, promtool, tmp_path, repository)
            _, text = await asyncio.to_thread(daemon.ask, "/metrics")
            checked = await asyncio.to_thread(
                subprocess.run, [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
            )
            assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
