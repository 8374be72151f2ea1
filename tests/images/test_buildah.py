"""Real builds by Buildah on this machine, pushed to Debian's docker-registry."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from memory_tree import Link, MemoryTree
from processes import until
from registry_server import PASSWORD, USER, RegistryServer

from reconciler.errors import BuildFailed, RegistryDenied, RegistryUnreachable
from reconciler.images.buildah import Buildah, sweep
from reconciler.images.builder import Work
from reconciler.images.inputs import Gatherer
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference, Repository
from reconciler.images.registry import INDEX, MANIFEST, Registry
from reconciler.images.session import Session
from reconciler.model.image import Build, RegistryHost

SHELL = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "ln", "-s", "busybox", "/bin/sh"]
ENV PATH=/bin
"""


LASTING = f"sleep {10**6 + os.getpid()}"  # a command that nobody else on this machine runs

Files = dict[str, Any]


async def work_for(target: str, files: Files, build: Build | None = None, **options: Any) -> tuple[Work, MemoryTree]:
    memory = MemoryTree(files)
    inputs = await Gatherer().gather(build or Build("."), "image.yaml", memory.tree, memory)
    return Work(Reference.parse(target), inputs, **options), memory


class Bench:
    """Builds in a folder of this test."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.folder = folder
        self.registry = Registry(session)
        self.buildah = Buildah(session, Pusher(session, tries=2), folder)
        self.log: list[str] = []

    async def build(self, target: str, files: Files, build: Build | None = None, **options: Any) -> str:
        self.log.clear()
        work, memory = await work_for(target, files, build, **options)
        return await self.buildah.build(work, memory, self.log.append)

    async def said(self, line: str) -> None:
        """Wait until the build has said this."""
        await asyncio.to_thread(until, lambda: line in self.log, line)

    async def config(self, reference: str) -> dict[str, Any]:
        """The configuration of an image that was pushed."""
        parsed = Reference.parse(reference)
        manifest = (await self.registry.manifest(parsed)).json()
        return json.loads(await self.registry.blob(parsed.repository, manifest["config"]["digest"], 100_000))

    async def cleared(self) -> None:
        """Wait until nothing is left: what is killed takes a moment to go."""
        await asyncio.to_thread(until, lambda: not self.left(), "nothing is left")

    def left(self) -> list[str]:
        """What is left in the folder, and processes that work there."""
        running = []
        for process in Path("/proc").iterdir():
            try:
                words = (process / "cmdline").read_text() if process.name.isdigit() else ""
                if str(self.folder) in words or LASTING.replace(" ", "\0") in words:
                    running.append(process.name)
            except OSError:
                continue
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.folder) in line]
        return [*(path.name for path in self.folder.glob("*")), *running, *mounts]


@pytest.fixture
def bench(builders: Path, session: Callable[..., Session], tmp_path: Path) -> Bench:
    return Bench(session(), tmp_path / "builds")


@pytest.fixture(scope="session")
def shell(builders: Path) -> dict[str, Any]:
    """A context from which an image with a shell is built: what others begin from."""
    return {"Containerfile": SHELL, "busybox": ("100755", builders.read_bytes())}


async def test_pure_inputs_give_the_same_digest_each_time(
    bench: Bench, shell: Files, open_registry: RegistryServer
) -> None:
    name = open_registry.name("buildah/pure")
    files = {**shell, "data/link": Link("../Containerfile"), ".dockerignore": "secret\n", "secret": "s3cret"}
    files["Containerfile"] = SHELL + "COPY data /data\nCOPY . /all\nRUN [ ! -e /all/secret ]\n"
    first = await bench.build(f"{name}:1", files)
    begun = int(time.time())
    await asyncio.to_thread(until, lambda: int(time.time()) != begun, "another second of the day")
    assert await bench.build(f"{name}:2", files) == first
    assert (await bench.registry.head(Reference.parse(f"{name}:1"))).digest == first
    assert (await bench.registry.manifest(Reference.parse(f"{name}:1"))).media_type == MANIFEST
    assert (await bench.config(f"{name}:1"))["created"] == "1970-01-01T00:00:00Z"
    assert any("RUN [ ! -e /all/secret ]" in line for line in bench.log)
    await bench.cleared()


async def test_a_base_is_used_at_its_digest_and_arguments_arrive(
    bench: Bench, shell: Files, open_registry: RegistryServer
) -> None:
    base = open_registry.name("buildah/base")
    digest = await bench.build(f"{base}:1", shell)
    await bench.build(f"{base}:1", {**shell, "new": "x", "Containerfile": SHELL + "COPY new /new\n"})  # the tag moved
    containerfile = (
        "ARG TAG\n"
        f"FROM {base}:$TAG AS first\n"
        "ARG WORD\n"
        'RUN [ ! -e /new ] && echo "said: $WORD" && echo $WORD > /word\n'
        "FROM first AS second\n"
        "RUN echo second > /second\n"
        "FROM first\n"
        "RUN exit 1\n"
    )
    build = Build(".", args={"TAG": "1", "WORD": "--a $b 'c'"}, target="second")
    pinned = {f"{base}:1": Reference.parse(f"{base}:1@{digest}")}
    await bench.build(open_registry.name("buildah/on-base:1"), {"Containerfile": containerfile}, build, bases=pinned)
    assert "said: --a $b 'c'" in bench.log
    mounted = [one for one in open_registry.requests("POST") if "/on-base/" in one and "mount=sha256" in one]
    assert mounted  # the base's layers are not sent again


async def test_several_platforms_make_an_index(bench: Bench, open_registry: RegistryServer) -> None:
    name = open_registry.name("buildah/platforms:1")
    files = {"Containerfile": "FROM scratch\nCOPY a /a\n", "a": "a"}
    build = Build(".", platforms=("linux/arm64", "linux/amd64"))
    digest = await bench.build(name, files, build)
    found = await bench.registry.manifest(Reference.parse(name))
    assert (found.media_type, found.digest) == (INDEX, digest)
    platforms = {one["platform"]["architecture"]: one["digest"] for one in found.json()["manifests"]}
    assert sorted(platforms) == ["amd64", "arm64"]
    repository = Repository.parse(open_registry.name("buildah/platforms"))
    for architecture, child in platforms.items():
        assert (await bench.config(f"{repository}@{child}"))["architecture"] == architecture
    for _ in range(2):  # in whichever order they get done
        assert await bench.build(name, files, build) == digest


async def test_a_build_that_fails_says_why(bench: Bench, shell: Files, open_registry: RegistryServer) -> None:
    name = open_registry.name("buildah/fails:1")
    files = {**shell, "Containerfile": SHELL + 'RUN echo "\x1b[31mno luck\x1b[0m"; exit 7\n'}
    with pytest.raises(BuildFailed) as caught:
        await bench.build(name, files)
    assert caught.value.where == name
    assert caught.value.what == "the build failed"
    assert "exit status 7" in caught.value.why
    assert "no luck" in caught.value.log
    await bench.cleared()
    assert await bench.registry.has(Reference.parse(name)) == ""


async def test_a_build_that_hangs_is_ended(
    bench: Bench, shell: Files, open_registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    time, skipped = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: time() + skipped)
    files = {**shell, "Containerfile": SHELL + f"RUN echo waiting; ({LASTING} &) ; {LASTING}\n"}
    build = asyncio.create_task(bench.build(open_registry.name("buildah/hangs:1"), files, timeout=3000.0))
    await bench.said("waiting")
    skipped = 3000.0
    with pytest.raises(BuildFailed, match=r"did not finish within 3000 s") as caught:
        await build
    assert "waiting" in caught.value.log
    await bench.cleared()


async def test_a_cancelled_build_leaves_nothing(bench: Bench, shell: Files, open_registry: RegistryServer) -> None:
    files = {**shell, "Containerfile": SHELL + f"RUN echo waiting; {LASTING}\n"}
    build = asyncio.create_task(bench.build(open_registry.name("buildah/cancelled:1"), files))
    await bench.said("waiting")
    assert bench.left() != []
    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build
    await bench.cleared()


async def test_a_build_that_fills_its_quota_is_ended(bench: Bench, shell: Files, open_registry: RegistryServer) -> None:
    files = {**shell, "Containerfile": SHELL + f"RUN dd if=/dev/zero of=/big bs=1M count=2000; {LASTING}\n"}
    with pytest.raises(BuildFailed, match=r"the build took [\d,]+ bytes of disk, more than 50,000,000"):
        await bench.build(open_registry.name("buildah/full:1"), files, quota=50_000_000)
    await bench.cleared()


async def test_what_a_step_leaves_running_ends_with_the_build(
    bench: Bench, shell: Files, open_registry: RegistryServer
) -> None:
    files = {
        **shell,
        "Containerfile": SHELL + f"RUN {LASTING} & (setsid {LASTING} < /dev/null > /dev/null 2>&1 &) ; echo gone\n",
    }
    assert await bench.build(open_registry.name("buildah/daemon:1"), files, timeout=20.0)
    await bench.cleared()


async def test_a_base_behind_a_password_and_an_authority(
    builders: Path, session: Callable[..., Session], shell: Files, tmp_path: Path,
    locked_registry: RegistryServer, tls_registry: RegistryServer, certificate: tuple[Path, Path],
) -> None:  # fmt: skip
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {locked_registry.host: {"username": USER, "password": PASSWORD}}}))
    bench = Bench(
        session(RegistryHost(tls_registry.host, ca_file=str(certificate[0])), config_file=config), tmp_path / "builds"
    )
    pinned = {}
    for number, server in enumerate((locked_registry, tls_registry)):
        name = server.name("buildah/base:1")
        digest = await bench.build(
            name, {**shell, "n": str(number), "Containerfile": SHELL + f"COPY n /from{number}\n"}
        )
        pinned[name] = Reference.parse(f"{name}@{digest}")
    first, second = pinned
    containerfile = f"FROM {first}\nCOPY --from={second} /from1 /from1\nRUN cat /from0 /from1\n"
    assert await bench.build(locked_registry.name("buildah/both:1"), {"Containerfile": containerfile}, bases=pinned)
    await bench.cleared()


async def test_a_registry_that_does_not_take_the_result(
    builders: Path,
    session: Callable[..., Session],
    tmp_path: Path,
    own_registry: RegistryServer,
    locked_registry: RegistryServer,
) -> None:
    bench = Bench(session(deadline=0.2), tmp_path / "builds")
    files = {"Containerfile": "FROM scratch\nCOPY Containerfile /a\n"}
    with pytest.raises(RegistryDenied):
        await bench.build(locked_registry.name("buildah/denied:1"), files)
    own_registry.stop()
    with pytest.raises(RegistryUnreachable):
        await bench.build(own_registry.name("buildah/down:1"), files)
    await bench.cleared()


async def test_without_buildah(session: Callable[..., Session], tmp_path: Path) -> None:
    connected = session()
    buildah = Buildah(connected, Pusher(connected), tmp_path / "builds", path=str(tmp_path))
    work, memory = await work_for("localhost/x:1", {"Containerfile": "FROM scratch\n"})
    with pytest.raises(BuildFailed, match="buildah cannot be run") as caught:
        await buildah.build(work, memory, lambda _line: None)
    assert "install Debian's package buildah" in caught.value.hint


async def test_a_context_that_cannot_be_written(bench: Bench, open_registry: RegistryServer) -> None:
    """A tree in which a name is a file and a folder: Git's own checks refuse it, ours need not rely on them."""
    files = {"Containerfile": "FROM scratch\n", "a": "file", "a/b": "below it"}
    with pytest.raises(BuildFailed, match=r"cannot be written: (Not a directory|File exists)"):
        await bench.build(open_registry.name("buildah/conflict:1"), files)
    await bench.cleared()


def test_folders_of_builds_whose_daemon_was_killed_are_removed(tmp_path: Path) -> None:
    (tmp_path / "build-dead/context").mkdir(parents=True)
    (tmp_path / "build-dead/lock").touch()
    (tmp_path / "other").mkdir()
    assert sweep(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


NOBODY = 65534
SWEEP_AS_NOBODY = f"""
import os, sys
from pathlib import Path
from reconciler.images.buildah import sweep
if not os.geteuid():  # only now: the interpreter may be where nobody else may read
    os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
sys.exit(sweep(Path(sys.argv[1])) != 1)
"""


def test_without_root_also_a_folder_that_nobody_may_write_to_is_removed(builders: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder, "build-dead", "layer")
        layer.mkdir(parents=True)
        (layer / "file").touch()
        layer.chmod(0o555)
        if not os.geteuid():
            for path in (folder, layer.parent, layer, layer / "file"):
                os.chown(path, NOBODY, NOBODY)
        subprocess.run([sys.executable, "-c", SWEEP_AS_NOBODY, folder], check=True, timeout=60)
        assert not list(Path(folder).iterdir())


async def test_a_folder_in_use_is_not_removed(bench: Bench, shell: Files, open_registry: RegistryServer) -> None:
    files = {**shell, "Containerfile": SHELL + "RUN echo waiting; sleep 1\n"}
    build = asyncio.create_task(bench.build(open_registry.name("buildah/kept:1"), files))
    await bench.said("waiting")
    assert sweep(bench.folder) == 0
    assert await build
