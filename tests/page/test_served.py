"""The page as `reconciler run` serves it: by its configuration, and gone with the daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from processes import LIMIT, DaemonProcess

TOKEN = "a-long-and-secret-word"


@contextmanager
def daemon(folder: Path, **config: Any) -> Iterator[DaemonProcess]:
    """A daemon that waits for a cluster: its page is there already."""
    (folder / "kubeconfig").write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: u, user: {}}]}"
    )
    source = {"name": "shop", "url": str(folder / "repository")}
    with DaemonProcess(folder / "daemon", [source], folder / "kubeconfig", **config) as running:
        running.until(lambda: running.ask("/healthz")[0] == 200, "it listens")
        yield running


def asked(url: str, **headers: str) -> int:
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_by_default_to_this_machine(tmp_path: Path) -> None:
    with daemon(tmp_path) as running:
        status, text = running.ask("/")
        assert status == 200
        assert "Not ready yet" in text
        assert asked(running.url, Host="reconciler.example.com") == 403
        assert asked(f"{running.url}/metrics", Host="reconciler.example.com") == 200


def test_with_a_token_and_away_at_once_when_the_daemon_stops(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with daemon(tmp_path, statusPage={"tokenFile": str(tmp_path / "token")}) as running:
        assert running.ask("/api/status")[0] == 401
        assert running.ask("/metrics")[0] == 200
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert asked(f"{running.url}/api/status", **bearer) == 200
        assert TOKEN not in running.output
        followers = [HTTPConnection(running.url.removeprefix("http://"), timeout=10) for _ in range(3)]
        for each in followers:
            each.request("GET", "/events", headers=bearer)
            assert each.getresponse().status == 200
        running.until(lambda: "reconciler_page_followers 3.0" in running.ask("/metrics")[1], "three follow")
        assert running.terminate() < LIMIT
        assert "Traceback" not in running.output
        for each in followers:
            each.close()


def test_off(tmp_path: Path) -> None:
    with daemon(tmp_path, statusPage={"enabled": False}) as running:
        for path in ("/", "/objects", "/api/status", "/events", "/login", "/static/page.css"):
            assert running.ask(path)[0] == 404
        assert "reconciler_page_followers 0.0" in running.ask("/metrics")[1]
