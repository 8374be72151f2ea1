"""`reconciler drift`: a source that the daemon applied from Git, and what people do to its objects."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from git_repository import Repository

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.cluster.state import StateStore
from reconciler.engine.claims import Claims
from reconciler.engine.reconciler import Reconciler
from reconciler.engine.surroundings import Surroundings
from reconciler.http.transport import Request
from reconciler.model.config import SourceConfig
from reconciler.source.repository import GitSource

WEB = """\
# What the world sees.
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web}
spec:
  image: web
  replicas: 2
  resources:
    requests: {cpu: 100m, memory: 64Mi}
"""
IMAGES = """\
apiVersion: reconciler.dev/v1
kind: Image
metadata: {name: web}
spec: {repository: registry.example.com/shop/web, tag: "1.4.2"}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  currency: EUR
  page: |
    one
    two
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter2}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: told
  annotations: {reconciler.dev/drift: alert}
data: {a: "1"}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: ignored
  annotations: {reconciler.dev/drift: ignore}
data: {a: "1"}
"""
MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


class Server:
    """Other clients of the cluster, and one pass of the daemon."""

    def __init__(self, kubeconfig: Path, cache: Path) -> None:
        self.kubeconfig = kubeconfig
        self._cache = cache

    def call(self, method: str, path: str, body: Any = None, *, by: str = "kubectl-edit") -> Any:
        async def send() -> Any:
            cluster = await self._connect()
            try:
                kind = "merge-patch+json" if method == "PATCH" else "json"
                headers = {"content-type": f"application/{kind}", "accept": "application/json"}
                data = msgspec.json.encode(body) if body is not None else b""
                request = Request(method, path, (("fieldManager", by),) if body else (), headers, data)
                response = await cluster.transport.send(request)
                assert response.status < 300, response.body
                return msgspec.json.decode(response.body)
            finally:
                await cluster.close()

        return asyncio.run(send())

    def patch(self, path: str, body: Any, *, by: str = "kubectl-edit") -> None:
        self.call("PATCH", path, body, by=by)

    def sync(self, repository: Repository, **config: Any) -> None:
        """One pass over the last commit."""

        async def once() -> None:
            cluster, clock, random = await self._connect(), SystemClock(), Random(1)
            store = StateStore(cluster, "reconciler-system", clock=clock)
            settings = SourceConfig(**{"name": "shop", "url": str(repository.path), **config})
            source = GitSource(settings, self._cache, clock=clock, random=random)
            try:
                install = await store.install("test")
                around = Surroundings(cluster, store, install, Claims(), clock, random, lambda _event: None)
                reconciler = Reconciler(settings, source, around)
                await reconciler.poll()
                result = await reconciler.work()
                assert result is not None
                assert result.ok, {str(i): each.message for i, each in result.results.items()}
                await reconciler.close()
            finally:
                await store.close()
                await cluster.close()

        asyncio.run(once())

    async def _connect(self) -> Cluster:
        return await connect(str(self.kubeconfig), clock=SystemClock(), random=Random(1))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


@pytest.fixture
def server(api_server: Path, tmp_path: Path) -> Server:
    return Server(api_server, tmp_path / "cache")


@pytest.fixture
def applied(repository: Repository, server: Server) -> Repository:
    """The shop, applied as the daemon does it."""
    repository.commit({"images.yaml": IMAGES, "web.yaml": WEB, "settings.yaml": SETTINGS}, "Open the shop")
    raised = WEB.replace("replicas: 2", "replicas: 3")
    repository.commit({"web.yaml": raised}, "Raise the replicas, since the sale of the year begins on Monday at nine")
    server.sync(repository)
    return repository


@pytest.fixture
def on(cli: Any, server: Server) -> Callable[..., Any]:
    return lambda *words: cli("drift", *words, "--kubeconfig", server.kubeconfig)


def found(ran: Any) -> dict[str, Any]:
    """What drifted, by object, with its fields by path."""
    said = json.loads(ran.out)
    return {f"{each['kind']}/{each['name']}": {f["path"]: f for f in each["fields"]} for each in said["drift"]}


def test_what_others_did_with_who_did_it_and_who_wanted_it_otherwise(
    cli: Any, applied: Repository, server: Server
) -> None:
    where = ("--kubeconfig", server.kubeconfig)
    assert cli.golden("drift-1-none.txt", "drift", applied.path, *where).code == 0
    image = {"name": "web", "image": "registry.example.com/shop/web:evil"}
    merged = server.call("GET", f"{DEPLOYMENTS}/web")["spec"]["template"]["spec"]["containers"][0] | image
    server.patch(f"{DEPLOYMENTS}/web", {"spec": {"template": {"spec": {"containers": [merged]}}}}, by="kubectl-set")
    server.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 7}}, by="kubectl")
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD", "page": "one\nthree\n"}})
    server.patch(f"{MAPS}/told", {"data": {"a": None}})
    server.patch(f"{MAPS}/ignored", {"data": {"a": "2"}})
    server.patch(f"{SECRETS}/login", {"data": {"password": "eA=="}})
    server.call("DELETE", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web")
    ran = cli.golden("drift-2-edited.txt", "drift", applied.path, *where)
    assert ran.code == 2
    assert {line for line in ran.out.splitlines() if len(line) > 80} == set()
    assert "hunter2" not in ran.out
    assert "eA==" not in ran.out
    assert cli.golden("drift-3-heal.txt", "drift", applied.path, "--heal", "deployment/web", *where).code == 0
    assert cli.golden("drift-4-heal-told.txt", "drift", applied.path, "--heal", "configmaps/told", *where).code == 0
    assert cli.golden("drift-5-heal-nothing.txt", "drift", applied.path, "--heal", "configmap/told", *where).code == 0
    assert "PodDisruptionBudget/default/web" in cli("drift", applied.path, *where).out, "only what was named is healed"


def test_as_json(on: Any, applied: Repository, server: Server) -> None:
    assert json.loads(on(applied.path, "--output", "json").out)["drift"] == []
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    ran = on(applied.path, "--output", "json")
    said = json.loads(ran.out)
    assert (ran.code, said["version"], said["source"], said["objects"]) == (2, 1, "shop", 5)
    assert said["commit"] == applied.git("rev-parse", "HEAD")
    (drift,) = said["drift"]
    assert (drift["drift"], drift["mode"], drift["converges"]) == ("edited", "heal", True)
    (field,) = drift["fields"]
    assert (field["path"], field["wanted"], field["found"]) == ("data.currency", "EUR", "USD")
    (by,) = field["by"]
    assert (by["manager"], by["operation"], by["subresource"]) == ("kubectl-edit", "Update", "")
    assert field["stated"] == {
        "path": "settings.yaml",
        "line": 5,
        "commit": applied.git("rev-parse", "HEAD~1"),
        "author": "Ada <ada@example.com>",
        "time": "2026-01-01T00:00:01+00:00",
        "subject": "Open the shop",
    }
    assert drift["stated"] == [field["stated"]]


def test_explain_says_what_drifted_of_an_object(cli: Any, applied: Repository, server: Server) -> None:
    where = ("--repo", applied.path, "--kubeconfig", server.kubeconfig)
    assert "drifted" not in cli("explain", "configmap/settings", *where).out
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    out = cli("explain", "configmap/settings", *where).out
    said = "  drifted since then: edited\n    data.currency\n      Git:    EUR\n      found:  USD\n"
    assert said in out
    assert "      wanted: settings.yaml:5\n" in out
    assert "drifted" not in cli("explain", "configmap/told", *where).out


def test_it_is_compared_with_what_was_applied_not_with_a_newer_commit(
    on: Any, applied: Repository, server: Server
) -> None:
    applied.commit({"settings.yaml": SETTINGS.replace("EUR", "CHF"), "web.yaml": None}, "Change everything")
    assert on(applied.path).code == 0
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    fields = found(on(applied.path, "--output", "json"))["ConfigMap/settings"]
    assert fields["data.currency"]["wanted"] == "EUR"


def test_the_repository_can_be_named_and_the_source_too(on: Any, applied: Repository, server: Server) -> None:
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    for words in (
        ("shop", "--repo", applied.path),
        ("--repo", applied.path),
        ("shop", "--repo", f"file://{applied.path}"),
    ):
        ran = on(*words, "--output", "json")
        assert ran.code == 2, ran.err
        assert list(found(ran)) == ["ConfigMap/settings"]


def test_with_the_daemons_configuration_its_rules_are_known(
    on: Any, applied: Repository, server: Server, tmp_path: Path
) -> None:
    rules = [{"mode": "ignore", "objects": ["ConfigMap/*/settings"]}, {"mode": "alert", "paths": ["web.yaml"]}]
    config = {"sources": [{"name": "shop", "url": str(applied.path), "driftRules": rules}]}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    server.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 7}}, by="kubectl")
    server.patch(f"{SECRETS}/login", {"data": {"password": "eA=="}})
    said = json.loads(on("shop", "--config", tmp_path / "config.yaml", "--output", "json").out)
    assert {each["name"]: each["mode"] for each in said["drift"]} == {"login": "heal", "web": "alert"}
    (tmp_path / "config.yaml").write_text(json.dumps({"sources": [{"name": "bank", "url": str(applied.path)}]}))
    ran = on("shop", "--config", tmp_path / "config.yaml")
    assert (ran.code, ran.err.splitlines()[1]) == (1, "  hint: it has bank")


def test_a_folder_inside_a_repository_and_its_layers(on: Any, repository: Repository, server: Server) -> None:
    over = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {currency: CHF}\n"
    files = {"deploy/base/settings.yaml": SETTINGS, "deploy/prod/settings.yaml": over, "README.md": "words"}
    repository.commit(files, "Open the shop")
    server.sync(repository, paths=("deploy/base", "deploy/prod"))
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    ran = on(repository.path / "deploy", "--paths", "base,prod", "--output", "json")
    stated = found(ran)["ConfigMap/settings"]["data.currency"]["stated"]
    assert (stated["path"], stated["line"], stated["subject"]) == ("deploy/prod/settings.yaml", 4, "Open the shop")
    ran = on(repository.path / "deploy")
    assert (ran.code, ran.out.splitlines()[-1].split(":")[0]) == (0, "no drift")
    assert ran.err.startswith("hint: ConfigMap/default/settings not compared: not stated in ")


def test_a_folder_that_was_applied_is_compared_where_it_is_as_it_was(
    cli: Any, on: Any, repository: Repository, server: Server
) -> None:
    repository.commit({"a.yaml": SETTINGS, "web.yaml": WEB, "images.yaml": IMAGES}, "Open the shop")
    where = ("--kubeconfig", server.kubeconfig)
    assert cli("apply", repository.path, "--no-wait", *where).code == 0
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    repository.write({"web.yaml": WEB.replace("replicas: 2", "replicas: 9")})
    ran = on(repository.path, "--output", "json")
    fields = found(ran)
    assert list(fields) == ["ConfigMap/settings"]
    assert fields["ConfigMap/settings"]["data.currency"]["stated"]["subject"] == "Open the shop"
    said = json.loads(ran.out)
    assert (said["commit"], {each["kind"] for each in said["unlike"]}) == (None, {"Deployment"})
    assert "Deployment/default/web came from another text than this" in on(repository.path).err
    ran = on(repository.path, "--heal", "deployment/web")
    assert (ran.code, ran.err.splitlines()[0]) == (1, "Deployment/default/web came from another text than this")


def test_a_commit_that_is_not_at_hand_is_said(on: Any, applied: Repository, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("images.yaml", "web.yaml", "settings.yaml"):
        (copy / name).write_text((applied.path / name).read_text())
    ran = on(copy, "--source", "shop")
    assert (ran.code, "its files are taken as they are now" in ran.err) == (0, True)


def test_a_shallow_clone_will_do_and_names_nobody(on: Any, applied: Repository, server: Server, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    applied.git("clone", "--quiet", "--depth=1", f"file://{applied.path}", str(copy))
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    ran = on(copy, "--source", "shop", "--output", "json")
    stated = found(ran)["ConfigMap/settings"]["data.currency"]["stated"]
    assert (ran.code, stated["path"], stated["line"], stated["commit"]) == (2, "settings.yaml", 5, None)
    assert on(copy, "--source", "shop").err == "", "the commit itself is there"
    server.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 7}}, by="kubectl")
    stated = found(on(copy, "--source", "shop", "--output", "json"))["Deployment/web"]["spec.replicas"]["stated"]
    assert (stated["path"], stated["line"]) == ("web.yaml", 7)


def test_what_is_no_longer_ours_is_found_and_healed_only_where_it_was_ours(
    on: Any, applied: Repository, server: Server
) -> None:
    marks = {"labels": {"reconciler.dev/source": None}, "annotations": {"reconciler.dev/id": None}}
    server.patch(f"{MAPS}/settings", {"metadata": marks})
    server.call("DELETE", f"{SECRETS}/login")
    mine = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}}
    server.call("POST", SECRETS, mine, by="somebody")
    said = json.loads(on(applied.path, "--output", "json").out)
    assert {each["name"]: each["drift"] for each in said["drift"]} == {"settings": "disowned", "login": "replaced"}
    assert on(applied.path, "--heal", "configmap/settings").code == 0
    ran = on(applied.path, "--heal", "secret/login")
    assert (ran.code, ran.err.splitlines()[0]) == (1, "Secret/default/login is not ours to heal")
    assert [each["name"] for each in json.loads(on(applied.path, "--output", "json").out)["drift"]] == ["login"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shop", "--heal", "web"), "'web' names no object"),
        (("shop", "--heal", "deployment/wbe"), "states no deployment/wbe\n  hint: did you mean deployment/web?"),
        (("shop", "--heal", "deployment/other/web"), "the source states no deployment/other/web"),
        (("nothing",), "there is no source 'nothing'\n  hint: name one of shop"),
        (("./nothing",), "there is no folder ./nothing"),
        (("elsewhere",), "nothing that source shop has in the cluster is stated in elsewhere"),
        (("--watch", "--heal", "deployment/web"), "not allowed with argument"),
    ],
)
def test_what_cannot_be_done_says_why(
    on: Any, applied: Repository, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(applied.path.parent)
    elsewhere = applied.path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
    ran = on(*words)
    assert ran.code == 1
    assert said in ran.err


def test_a_suspended_source_is_compared_and_not_healed(cli: Any, on: Any, applied: Repository, server: Server) -> None:
    cli("suspend", "shop", "--kubeconfig", server.kubeconfig)
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    assert on(applied.path).code == 2
    ran = on(applied.path, "--heal", "configmap/settings")
    assert (ran.code, ran.err.splitlines()) == (
        1,
        ["source shop is suspended, so nothing is written", "  hint: `reconciler resume shop` goes on"],
    )


class Watching:
    """`reconciler drift --watch` as a process."""

    def __init__(self, folder: Path, kubeconfig: Path, form: str) -> None:
        program = Path(sys.executable).with_name("reconciler")
        command = [program, "drift", folder, "--watch", "--output", form]
        self.process = subprocess.Popen([*command, "--kubeconfig", kubeconfig], stdout=subprocess.PIPE, text=True)

    def line(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.text())
        return said

    def text(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")


@pytest.fixture
def watching(applied: Repository, server: Server, request: pytest.FixtureRequest) -> Iterator[Watching]:
    server.patch(f"{MAPS}/settings", {"data": {"currency": "USD"}})
    started = Watching(applied.path, server.kubeconfig, getattr(request, "param", "json"))
    timeout = signal.signal(signal.SIGALRM, lambda *_: started.process.kill())
    signal.alarm(120)
    try:
        yield started
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, timeout)
        started.process.kill()
        started.process.wait()
        started.process.stdout.close()


def test_watching_says_what_comes_and_goes_and_takes_over_what_is_applied(
    on: Any, watching: Watching, applied: Repository, server: Server
) -> None:
    began = watching.line()
    assert (began["event"], began["name"], began["fields"][0]["found"]) == ("drifted", "settings", "USD")
    assert began["fields"][0]["stated"]["subject"] == "Open the shop"
    server.patch(f"{MAPS}/settings", {"data": {"currency": "JPY"}})
    assert watching.line()["fields"][0]["found"] == "JPY"
    server.patch(f"{MAPS}/settings", {"data": {"currency": "EUR"}})
    taken = watching.line()
    assert (taken["event"], taken["drift"]) == ("drifted", "taken"), "the value is right, but it is no longer ours"
    assert on(applied.path, "--heal", "configmap/settings").code == 0
    ended = watching.line()
    assert (ended["event"], ended["kind"], ended["name"]) == ("restored", "ConfigMap", "settings")
    server.call("DELETE", f"{SECRETS}/login")
    assert watching.line()["drift"] == "deleted"
    applied.commit({"settings.yaml": SETTINGS.replace("two", "2")}, "Count in digits")
    server.sync(applied)
    ended = watching.line()
    assert (ended["event"], ended["name"]) == ("restored", "login")
    server.patch(f"{MAPS}/settings", {"data": {"page": "none"}})
    again = watching.line()
    assert (again["fields"][0]["wanted"], again["fields"][0]["stated"]["subject"]) == ("one\n2\n", "Count in digits")
    os.kill(watching.process.pid, signal.SIGINT)
    assert watching.process.wait(20) == 130


@pytest.mark.parametrize("watching", ["text"], indirect=True)
def test_watching_as_text(on: Any, watching: Watching, applied: Repository) -> None:
    commit = applied.git("rev-parse", "HEAD")[:12]
    assert watching.text() == f"watching 5 objects of source shop, at {commit}"
    assert watching.text().endswith(" UTC")
    assert watching.text() == "ConfigMap/default/settings  edited"
    assert watching.text() == "  data.currency"
    while "Open the shop" not in watching.text():
        pass
    assert on(applied.path, "--heal", "configmap/settings").code == 0
    assert watching.text().endswith(" UTC")
    assert watching.text() == f"ConfigMap/default/settings  is as {commit} states it again"
