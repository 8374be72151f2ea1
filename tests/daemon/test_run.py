"""`reconciler run` as users run it: a process, beside `reconciler sandbox` as another one, and Git over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from git_repository import Repository
from git_server import Fault, GitServer
from processes import LIMIT, DaemonProcess, Process, command, free_port, until
from texts import NAMESPACE, config, deployment


class Api:
    """Another client of the sandbox at `port`."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: Any = None, kind: str = "json") -> Any:
        """The decoded answer; None for a 404."""
        content = json.dumps(body).encode() if body is not None else None
        request = Request(
            self._base + path, content, {"content-type": f"application/{kind}", "user-agent": "kubectl"}, method=method
        )
        try:
            with urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except HTTPError as error:
            if error.code == 404:
                return None
            raise AssertionError(error.read()) from None

    def namespace(self, name: str) -> None:
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def config(self, name: str, namespace: str = "shop") -> Any:
        return self.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def value(self, name: str) -> str | None:
        found = self.config(name)
        return found["data"]["value"] if found else None


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def api(port: int) -> Api:
    return Api(port)


@pytest.fixture
def kubeconfig(tmp_path: Path, port: int) -> Path:
    """A kubeconfig of a cluster that may not be there yet."""
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    file = tmp_path / "kubeconfig"
    stated = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {}}]}
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "c", **stated}))
    return file


def sandbox(folder: Path, port: int) -> Process:
    made = Process(["sandbox", "--port", str(port), "--kubeconfig", str(folder / "sandbox-kubeconfig")], folder / "sb")
    until(lambda: "serving" in made.output, "the sandbox serves")
    return made


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path) as server:
        yield server


def test_from_a_commit_to_the_cluster_and_all_that_follows(
    tmp_path: Path, port: int, api: Api, kubeconfig: Path, git: GitServer
) -> None:
    shop, tools = Repository(tmp_path / "shop"), Repository(tmp_path / "tools")
    files = {f"{letter}.yaml": config(letter) for letter in "abcdefghij"}
    first = shop.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(), **files}, "First")
    other = tools.commit({"tool.yaml": config("tool")}, "Tools")
    sources = [
        {"name": "shop", "url": git.url("shop/.git"), "namespace": "shop", "interval": "1s"},
        {"name": "tools", "url": str(tools.path), "namespace": "default", "interval": "1s"},
    ]
    with sandbox(tmp_path, port), DaemonProcess(tmp_path / "daemon", sources, kubeconfig) as daemon:
        daemon.until(lambda: daemon.ask("/healthz")[0] == 200, "/healthz")
        daemon.until_synced(first)
        daemon.until_synced(other)
        assert daemon.until(lambda: daemon.ask("/readyz") == (200, "ok\n"), "/readyz")
        install = api.call("GET", "/api/v1/namespaces/reconciler-system/configmaps/reconciler-install")["data"]["uid"]
        mark = api.config("a")["metadata"]["annotations"]["reconciler.dev/id"]
        assert mark == f"{install}/shop//ConfigMap/shop/a"
        assert api.config("tool", "default")

        # A commit: changed, new and removed.
        second = shop.commit({"a.yaml": config("a", "2"), "new.yaml": config("new"), "b.yaml": None}, "Second")
        daemon.until_synced(second)
        assert (api.value("a"), api.value("new"), api.value("b")) == ("2", "1", None)
        assert daemon.heard("pruned", object="ConfigMap/shop/b")

        # An edit by hand is healed, and so is a deletion.
        patch = {"data": {"value": "by hand"}}
        api.call("PATCH", "/api/v1/namespaces/shop/configmaps/a", patch, "merge-patch+json")
        assert "by hand" in daemon.until_heard("drifted", object="ConfigMap/shop/a")
        api.call("DELETE", "/api/v1/namespaces/shop/configmaps/c")
        daemon.until(lambda: api.value("a") == "2" and api.value("c") == "1", "healed")

        # Suspended from another process: a commit is seen and not applied, until it is resumed.
        assert "suspended" in command("suspend", "shop", kubeconfig=kubeconfig)
        daemon.until(lambda: '"suspended"' in daemon.ask("/api/status")[1], "the daemon has heard of it")
        third = shop.commit({"a.yaml": config("a", "3")}, "Third")
        asked = len(git.requests)
        until(lambda: len(git.requests) > asked + 8, "Git was asked and the commit fetched")
        assert api.value("a") == "2"
        command("resume", "shop", kubeconfig=kubeconfig)
        daemon.until_synced(third)
        assert api.value("a") == "3"

        # More deletions than the guard allows are held until they are approved, from another process too.
        fourth = shop.commit({f"{letter}.yaml": None for letter in "defghij"}, "Many go")
        daemon.until_synced(fourth)
        assert api.value("d") == "1"
        until(lambda: "ConfigMap/shop/d" in command("prune", "shop", kubeconfig=kubeconfig), "what is held is stored")
        assert "approved 7" in command("prune", "shop", "--approve", kubeconfig=kubeconfig)
        daemon.until(lambda: not any(api.value(letter) for letter in "defghij"), "pruned")
        assert api.value("a") == "3"

        # Git fails: said once, the rest goes on.
        git.fault = Fault.ERROR
        daemon.until_heard("source-unreachable", source="shop")
        more = tools.commit({"more.yaml": config("more")}, "More")
        daemon.until_synced(more)
        git.fault = Fault.NONE

        metrics = daemon.ask("/metrics")[1]
        assert 'reconciler_polls_total{result="changed",source="shop"} 4.0' in metrics
        assert 'reconciler_objects{health="healthy",source="tools"}' in metrics
        assert 'reconciler_api_requests_total{code="200",resource="configmaps",verb="apply"}' in metrics
        assert 'reconciler_events_total{source="shop",type="healed"}' in metrics
        assert daemon.terminate() < LIMIT
        assert "Traceback" not in daemon.output
    assert daemon.heard("sync-finished", revision=more)


def test_a_daemon_that_is_there_before_the_api_server_and_the_namespace(
    tmp_path: Path, port: int, api: Api, kubeconfig: Path
) -> None:
    commit = Repository(tmp_path / "shop").commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
    source = {"name": "shop", "url": str(tmp_path / "shop"), "namespace": "shop"}
    with DaemonProcess(tmp_path / "daemon", [source], kubeconfig, stateNamespace="our-state") as daemon:
        assert f"no connection to 127.0.0.1:{port}" in daemon.until_heard("not-ready")
        assert daemon.ask("/healthz") == (200, "ok\n")
        status, text = daemon.ask("/readyz")
        assert status == 503
        assert "no connection" in text
        with sandbox(tmp_path, port):
            said = daemon.until(lambda: [s for s in daemon.heard("not-ready") if "namespace" in s], "the namespace")
            assert "kubectl create namespace our-state" in said[0]
            assert "our-state" in daemon.ask("/readyz")[1]
            api.namespace("our-state")
            daemon.until_synced(commit)
            assert daemon.ask("/readyz")[0] == 200
            assert api.value("a") == "1"
            assert daemon.terminate() < LIMIT
    assert len(daemon.heard("not-ready")) == 2, "each is said once"
