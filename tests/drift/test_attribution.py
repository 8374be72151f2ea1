"""Who wanted it: lines, commits and authors, from real repositories."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from git_repository import Repository
from golden import checked

from reconciler.clock import LoopClock
from reconciler.diff.paths import Path as Fields
from reconciler.diff.paths import is_items, is_map, render
from reconciler.drift.attribution import Authorship, GitAttribution, History, authors
from reconciler.errors import SourceError
from reconciler.kube.fieldset import item_key
from reconciler.kube.names import Identity
from reconciler.kube.openapi import catalog
from reconciler.kube.schema import Schema
from reconciler.model.change import ABSENT, Live
from reconciler.model.config import SourceConfig
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState, Wanted
from reconciler.model.manifest import DriftMode, Manifest, Manifests, Owner
from reconciler.model.snapshot import Revision, Snapshot
from reconciler.model.spec import Specs
from reconciler.render.render import Renderer
from reconciler.source.directory import DirectorySource
from reconciler.source.repository import GitSource
from reconciler.specs.load import Loader

GOLDEN = Path(__file__).parent / "golden"
EXAMPLE = Path(__file__).parents[2] / "examples" / "repo"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  value: '%s'\n  other: x\n"
WEB = """\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web}
spec:
  image: web
  replicas: 2
  env:
    LOG: info
---
apiVersion: reconciler.dev/v1
kind: Image
metadata: {name: web}
spec:
  repository: registry.example.com/web
  tag: "1.0"
"""
SETTINGS = Identity("", "ConfigMap", "default", "settings")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Commands(Counter[str]):
    def __call__(self, command: tuple[str, ...]) -> None:
        self[command[0]] += 1


class Desired(NamedTuple):
    """What a source states."""

    snapshot: Snapshot
    specs: Specs
    manifests: Manifests


class Shop:
    """A source of a repository, as far as somebody who asks for authors needs it."""

    def __init__(self, source: GitSource, loader: Loader, commands: Commands) -> None:
        self.source = source
        self.loader = loader
        self.commands = commands
        self.authorship = Authorship(source, loader)
        self.desired: Desired

    async def poll(self) -> None:
        poll = await self.source.poll()
        assert poll.snapshot is not None, poll.error
        self.desired = await desired(poll.snapshot, self.source, self.loader)
        self.commands.clear()

    async def of(self, identity: Identity, *fields: str) -> list[str]:
        """Where each of the fields was wanted: `file:line commit's subject`."""
        now = self.desired
        manifest = now.manifests.items[identity]
        found = await self.authorship.of(manifest, fields, snapshot=now.snapshot, specs=now.specs)
        return [f"{each.path}:{each.line} {each.revision.subject if each.revision else None}" for each in found]


async def desired(snapshot: Snapshot, source: History | DirectorySource, loader: Loader) -> Desired:
    specs = await loader.load(snapshot, source, namespace="default")
    assert [str(problem) for problem in specs.problems] == []
    owner = Owner("test", "shop")
    manifests = Renderer().render(specs, owner=owner, adopt=False, drift=DriftMode.HEAL)
    assert manifests.problems == ()
    return Desired(snapshot, specs, manifests)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


@asynccontextmanager
async def shop(repository: Repository, *paths: str) -> AsyncIterator[Shop]:
    commands = Commands()
    config = SourceConfig(name="shop", url=str(repository.path), timeout=20.0, paths=paths or (".",))
    cache = repository.path.parent / "cache"
    source = GitSource(config, cache, clock=LoopClock(), random=Random(7), observe=commands)
    opened = Shop(source, Loader(), commands)
    try:
        await opened.poll()
        yield opened
    finally:
        await opened.authorship.close()
        await source.close()


async def test_the_line_of_a_field_and_the_commit_that_wrote_it(repository: Repository) -> None:
    repository.commit({"a.yaml": CONFIG % ("settings", "1")}, "Write")
    repository.commit({"a.yaml": CONFIG % ("settings", "2")}, "Change the value")
    async with shop(repository) as found:
        assert await found.of(SETTINGS, "data.value", "data.other", "metadata.name") == [
            "a.yaml:6 Change the value",
            "a.yaml:7 Write",
            "a.yaml:4 Write",
        ]
        assert found.commands == {"blame": 1}, "and the file is still in memory"
        assert await found.of(SETTINGS) == ["a.yaml:1 Write"], "nothing but the object itself is gone"
        assert await found.of(SETTINGS, "metadata.labels.app.kubernetes.io/managed-by", "data.gone") == [
            "a.yaml:1 Write",
            "a.yaml:1 Write",
        ]


async def test_of_a_text_in_several_lines_the_one_that_was_written_last(repository: Repository) -> None:
    text = CONFIG % ("settings", "1") + "  page: |\n    one\n    two\n    three\n  last: '1'\n"
    repository.commit({"a.yaml": text}, "Write")
    repository.commit({"a.yaml": text.replace("two", "2")}, "Change the page")
    repository.commit({"a.yaml": text.replace("two", "2").replace("last: '1'", "last: '2'")}, "Change the last")
    async with shop(repository) as found:
        assert await found.of(SETTINGS, "data.page", "data.value", "data.last") == [
            "a.yaml:10 Change the page",
            "a.yaml:6 Write",
            "a.yaml:12 Change the last",
        ]


async def test_of_a_workload_the_lines_of_its_spec_and_of_the_image_that_it_names(repository: Repository) -> None:
    repository.commit({"web.yaml": WEB}, "Write")
    repository.commit({"web.yaml": WEB.replace('"1.0"', '"1.1"')}, "Release 1.1")
    repository.commit({"web.yaml": WEB.replace('"1.0"', '"1.1"').replace("info", "debug")}, "Be loud")
    web = Identity("apps", "Deployment", "default", "web")
    container = "spec.template.spec.containers[name=web]"
    async with shop(repository) as found:
        assert await found.of(web, f"{container}.image", f"{container}.env[name=LOG].value", "spec.replicas") == [
            "web.yaml:15 Release 1.1",
            "web.yaml:8 Be loud",
            "web.yaml:6 Write",
        ]


async def test_of_overlays_the_one_that_states_it(repository: Repository) -> None:
    over = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {value: '9'}\n"
    repository.commit({"base/a.yaml": CONFIG % ("settings", "1")}, "Write")
    repository.commit({"prod/a.yaml": over}, "More in production")
    async with shop(repository, "base", "prod") as found:
        assert await found.of(SETTINGS, "data.value", "data.other") == [
            "prod/a.yaml:4 More in production",
            "base/a.yaml:7 Write",
        ]


async def test_a_thousand_objects_of_fifty_files_cost_fifty_blames_two_at_a_time(repository: Repository) -> None:
    files = {
        f"{file}.yaml": "---\n".join(CONFIG % (f"c-{file}-{number}", "1") for number in range(20)) for file in range(50)
    }
    repository.commit(files, "Write")
    async with shop(repository) as found:
        slots = Watched(2)
        found.authorship = Authorship(found.source, found.loader, slots=slots)
        identities = list(found.desired.manifests.items)
        assert len(identities) == 1000
        places = await asyncio.gather(*(found.of(identity, "data.value", "data.other") for identity in identities))
        assert {one.partition(" ")[2] for some in places for one in some} == {"Write"}
        assert len({one for some in places for one in some}) == 2000
        assert found.commands == {"blame": 50}
        assert slots.most == 2
        await asyncio.gather(*(found.of(identity, "data.value") for identity in identities))
        assert found.commands == {"blame": 50}, "they are remembered"
        repository.commit({"0.yaml": files["0.yaml"].replace("'1'", "'2'")}, "Change")
        await found.poll()
        changed = Identity("", "ConfigMap", "default", "c-0-3")
        assert await found.of(changed, "data.value", "data.other") == ["0.yaml:30 Change", "0.yaml:31 Write"]


async def test_what_was_asked_long_ago_is_forgotten(repository: Repository) -> None:
    repository.commit({f"{name}.yaml": CONFIG % (name, "1") for name in "abc"}, "Write")
    async with shop(repository) as found:
        found.authorship = Authorship(found.source, found.loader, lines=12)

        async def blames(name: str) -> int:
            before = found.commands["blame"]
            assert await found.of(SETTINGS._replace(name=name), "data.value") == [f"{name}.yaml:6 Write"]
            return found.commands["blame"] - before

        assert [await blames(name) for name in "abbacb"] == [1, 1, 0, 0, 1, 1]
        assert await blames("c") == 0


class Watched(asyncio.Semaphore):
    """Notes how many hold it at most."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self._held = self.most = 0

    async def acquire(self) -> Any:
        taken = await super().acquire()
        self._held += 1
        self.most = max(self.most, self._held)
        return taken

    def release(self) -> None:
        self._held -= 1
        super().release()


async def test_a_squashed_history_names_the_squash(repository: Repository) -> None:
    repository.commit({"a.yaml": CONFIG % ("settings", "1")}, "Write")
    repository.commit({"a.yaml": CONFIG % ("settings", "2")}, "Change")
    repository.git("reset", "--quiet", "--soft", "HEAD~1")
    repository.git("commit", "--quiet", "--amend", "-m", "All at once")
    async with shop(repository) as found:
        assert await found.of(SETTINGS, "data.value", "data.other") == [
            "a.yaml:6 All at once",
            "a.yaml:7 All at once",
        ]


async def test_a_shallow_history_names_nobody_for_what_lies_before_it(repository: Repository) -> None:
    repository.commit({"a.yaml": CONFIG % ("settings", "1")}, "Write")
    end = repository.commit({"b.yaml": CONFIG % ("b", "1")}, "Something else")
    repository.commit({"a.yaml": CONFIG % ("settings", "2")}, "Change")
    async with shop(repository) as found:
        (mirror,) = (repository.path.parent / "cache").glob("*.git")
        (mirror / "shallow").write_text(f"{end}\n")
        assert await found.of(SETTINGS, "data.value", "data.other") == ["a.yaml:6 Change", "a.yaml:7 None"]


async def test_a_damaged_or_lost_history_is_no_error_and_is_asked_once(repository: Repository) -> None:
    repository.commit({"a.yaml": CONFIG % ("settings", "1")}, "Write")
    async with shop(repository) as found:
        (mirror,) = (repository.path.parent / "cache").glob("*.git")
        shutil.rmtree(mirror / "objects")
        assert await found.of(SETTINGS, "data.value") == ["a.yaml:6 None"]
        assert await found.of(SETTINGS, "data.value") == ["a.yaml:6 None"]
        assert found.commands["blame"] <= 1


async def test_a_file_that_cannot_be_read_leaves_the_documents_first_line(repository: Repository) -> None:
    class Failing(MemoryHistory):
        async def read(self, ids: Any) -> Mapping[str, bytes]:
            raise SourceError("no")

    repository.commit({"a.yaml": "\n\n" + CONFIG % ("settings", "1")}, "Write")
    async with shop(repository) as found:
        history = Failing()
        history.go.set()
        found.authorship = Authorship(history, Loader())
        assert await found.of(SETTINGS, "data.value", "data.other") == ["a.yaml:3 None", "a.yaml:3 None"]


class NoHistory:
    """Of a folder."""

    async def read(self, ids: Any) -> Mapping[str, bytes]:
        raise AssertionError("everything is in memory")

    async def blame(self, path: str, rev: str) -> tuple[Revision | None, ...]:
        return ()


class MemoryHistory:
    """Counts what is asked, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def read(self, ids: Any) -> Mapping[str, bytes]:
        raise AssertionError("everything is in memory")

    async def blame(self, path: str, rev: str) -> tuple[Revision | None, ...]:
        self.asked.append(path)
        self.begun.set()
        await self.go.wait()
        return ()


async def test_whoever_gives_up_waiting_does_not_take_the_answer_from_others(repository: Repository) -> None:
    repository.commit({"a.yaml": CONFIG % ("settings", "1")}, "Write")
    async with shop(repository) as found:
        history = MemoryHistory()
        found.authorship = Authorship(history, found.loader)
        one = asyncio.ensure_future(found.of(SETTINGS, "data.value"))
        other = asyncio.ensure_future(found.of(SETTINGS, "data.value"))
        await history.begun.wait()
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        history.go.set()
        assert await other == ["a.yaml:6 None"]
        assert history.asked == ["a.yaml"]


async def test_closing_ends_what_still_runs(repository: Repository) -> None:
    repository.commit({"a.yaml": CONFIG % ("settings", "1")}, "Write")
    async with shop(repository) as found:
        history = MemoryHistory()
        found.authorship = Authorship(history, found.loader)
        waiting = asyncio.ensure_future(found.of(SETTINGS, "data.value"))
        await history.begun.wait()
        await found.authorship.close()
        assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_folder_has_lines_and_no_commits(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG % ("settings", "1"))
    source, loader = DirectorySource(tmp_path), Loader()
    now = await desired(await source.snapshot(), source, loader)
    authorship = Authorship(NoHistory(), loader)
    manifest = now.manifests.items[SETTINGS]
    found = await authorship.of(manifest, ["data.value"], snapshot=now.snapshot, specs=now.specs)
    assert found == (Wanted("a.yaml", 6),)


def drift(identity: Identity, *paths: str) -> Drift:
    fields = tuple(DriftedField(path, "1", ABSENT) for path in paths)
    return Drift("shop", identity, DriftKind.EDITED, NOW, DriftMode.HEAL, DriftState.FOUND, fields)


async def test_a_drift_gets_each_place_once(repository: Repository) -> None:
    repository.commit({"a.yaml": CONFIG.replace("\n  other: x", "") % ("settings", "1")}, "Write")
    async with shop(repository) as found:
        attribution = GitAttribution({"shop": (found.authorship, lambda: found.desired)})
        both = await attribution.wanted("shop", drift(SETTINGS, "data.value", "data.none", "data.value"))
        assert [(each.path, each.line) for each in both] == [("a.yaml", 6), ("a.yaml", 1)]
        assert both[0].revision is not None
        assert both[0].revision.author == "Ada <ada@example.com>"
        gone = SETTINGS._replace(name="gone")
        assert await attribution.wanted("shop", drift(gone)) == ()
        nothing = GitAttribution({"shop": (found.authorship, lambda: None)})
        assert await nothing.wanted("shop", drift(SETTINGS)) == ()
        await attribution.close()


def test_authors_are_those_who_own_it_besides_us() -> None:
    def entry(manager: str, operation: str, fields: Any, **more: str) -> dict[str, Any]:
        stated = {"manager": manager, "operation": operation, "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}
        return {**stated, **more}

    entries = [
        entry("reconciler", "Apply", {"f:spec": {"f:replicas": {}}}),
        entry("reconciler", "Update", {"f:spec": {"f:paused": {}}}),
        entry("kubectl-edit", "Update", {"f:spec": {"f:replicas": {}}}, time="2026-01-02T00:00:00Z"),
        entry("hpa", "Update", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
    ]
    live = Live(SETTINGS, {"metadata": {"managedFields": entries}})
    assert authors(live, "spec.replicas") == (
        Author("kubectl-edit", "Update", datetime(2026, 1, 2, tzinfo=UTC)),
        Author("hpa", "Update", NOW, "scale"),
    )
    assert [author.manager for author in authors(live, "spec.paused")] == ["reconciler"], "not by our own applying"


# -- every field of the example ---------------------------------------------------------------------------------------


def fields(path: Fields, value: Any, schema: Schema) -> Iterator[Fields]:
    """The fields of an object that have one owner each, as differences name them."""
    if value and is_map(schema, value):
        for name, member in value.items():
            yield from fields((*path, f"f:{name}"), member, schema.member(name))
    elif value and is_items(schema, value):
        for item in value:
            yield from fields((*path, item_key(item, schema)), item, schema.item)
    else:
        yield path


async def lines_of(folder: Path, *paths: str) -> str:
    """Where each field of each object of a folder is stated."""
    source, loader = DirectorySource(folder, paths or (".",), "shop"), Loader()
    now = await desired(await source.snapshot(), source, loader)
    authorship = Authorship(NoHistory(), loader)
    shown: list[str] = []
    for identity, manifest in sorted(now.manifests.items.items()):
        shown.append(f"{identity}  ({manifest.origin})")
        names = [path for path in named(manifest) if not path.startswith(("apiVersion", "kind"))]
        found: list[Wanted] = []
        for at in range(0, len(names), 20):  # more fields of one object are not looked for
            some = names[at : at + 20]
            found += await authorship.of(manifest, some, snapshot=now.snapshot, specs=now.specs)
        for path, wanted in zip(names, found, strict=True):
            line = (folder / wanted.path).read_text().splitlines()[wanted.line - 1]
            shown.append(f"    {path}\n        {wanted.path}:{wanted.line}  {line.strip()}")
    return "\n".join(shown) + "\n"


def golden(name: str, text: str) -> None:
    checked(GOLDEN / name, text)


async def test_every_field_of_the_example_has_its_line() -> None:
    """Looked through by people: the golden file says where each field of the example's objects comes from."""
    golden("example-lines.txt", await lines_of(EXAMPLE, "base", "env/prod"))


ALL = """\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata:
  name: web
  labels: {team: shop}
spec:
  image: registry.example.com/web:1
  command: [serve]
  args:
    - --fast
  workingDir: /srv
  ports:
    - containerPort: 8080
      name: http
  env:
    HOST: db
    URL: http://$(HOST)/
  volumes:
    - name: data
      mountPath: /data
      claim:
        size: 10Gi
    - name: tmp
      mountPath: /tmp
      emptyDir: {}
  initContainers:
    - name: prepare
      image: registry.example.com/prepare:1
  sidecars:
    - name: proxy
      image: registry.example.com/proxy:1
  livenessProbe:
    httpGet: {path: /, port: http}
  imagePullSecrets: [{name: pull}]
  podSecurityContext:
    fsGroup: 1000
  terminationGracePeriodSeconds: 20
  resources:
    requests:
      cpu: 100m
      memory: 1Gi
  placement:
    zones: [a, b]
    spread: zone
    nodeSelector:
      disk: fast
    tolerations: [{key: gpu, operator: Exists}]
    priorityClassName: high
  template:
    spec:
      hostNetwork: false
      containers:
        - name: web
          stdin: true
  scale:
    min: 2
    max: 5
    target:
      cpu: 70%
  expose:
    - port: 80
      targetPort: http
      host: shop.example.com
      path: /cart
      tls: shop-tls
      className: nginx
      annotations: {a: b}
  rollout:
    maxSurge: 1
    progressDeadlineSeconds: 60
---
apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: backup}
spec:
  image: registry.example.com/backup:1
  run: schedule
  schedule: "0 3 * * *"
  timeZone: Europe/Zurich
  concurrencyPolicy: Forbid
  retries: 2
  timeout: 10m
  keep:
    succeeded: 1
    failed: 2
  suspend: false
  env: {LEVEL: "9"}
---
apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: migrate}
spec:
  image: registry.example.com/migrate:1
  parallelism: 2
  completions: 3
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData:
  password: hunter2
data:
  user: YQ==
"""


async def test_every_field_of_a_spec_that_states_all_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(ALL)
    golden("all-lines.txt", await lines_of(tmp_path))


def named(manifest: Manifest) -> list[str]:
    stamped = "metadata.annotations.reconciler.dev/"
    paths = [render(path) for path in fields((), manifest.object, catalog().schema(manifest.gvk))]
    return [
        path for path in paths if not path.startswith(stamped) and not path.startswith("metadata.labels.reconciler")
    ]
