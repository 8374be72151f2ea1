"""Buildah on the daemon's own host.

Each build has a work folder of its own below `folder`, with its own store, so builds share nothing, and what a build
leaves is gone with its folder. A folder whose daemon was killed is removed by the next one: it is locked by nobody.

RUN steps run as this process's user (root, where the daemon is root) in a chroot. That keeps honest builds apart; it
is no wall against a hostile Containerfile. Where strangers may change one, builds belong into Jobs. Each command has
a PID namespace of its own: what a step leaves running, even in a session of its own, ends with it.
"""

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from reconciler.errors import BuildFailed, ImageRefused
from reconciler.images import buildah_argv
from reconciler.images.builder import LEFT, Log, Work
from reconciler.images.command import Commands
from reconciler.images.context import write_folder
from reconciler.images.layout import push_layout
from reconciler.images.push import Pusher
from reconciler.images.session import Session
from reconciler.model.snapshot import Blobs

_PREFIX: Final = "build-"
_LOCK: Final = "lock"
_PATIENCE: Final = 60.0  # seconds for removing


class Buildah:
    """A Builder. `folder` is its own; `path` is where the program is looked for, by default as a shell does."""

    def __init__(self, session: Session, pusher: Pusher, folder: Path, *, path: str = "") -> None:
        self._session = session
        self._pusher = pusher
        self._folder = folder
        self._path = _path(path)
        apart = shutil.which("unshare", path=self._path)
        self._within = (*_root(), "unshare", "--pid", "--fork", "--kill-child", "--") if apart else ()

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        """As Builder says. Raises BuildFailed also when it takes longer than `work.timeout` seconds."""
        async with _own(self._folder, self._path) as folder:
            environment = buildah_argv.environment(folder, self._path)
            commands = Commands(folder, environment, work.quota, log, within=self._within)
            try:
                async with asyncio.timeout(work.timeout):
                    return await self._build(work, blobs, folder, commands)
            except TimeoutError:
                raise BuildFailed(
                    f"the build did not finish within {work.timeout:g} s",
                    where=str(work.target),
                    hint="raise the timeout of builds if it needs more",
                    log=tuple(commands.tail),
                ) from None
            except BuildFailed as error:
                error.where = error.where or str(work.target)
                raise
            except OSError as error:
                raise BuildFailed(
                    "the folder for builds cannot be written",
                    where=str(work.target),
                    why=error.strerror or str(error),
                    log=tuple(commands.tail),
                ) from None

    async def _build(self, work: Work, blobs: Blobs, folder: Path, commands: Commands) -> str:
        places = buildah_argv.Places(folder)
        await write_folder(work.inputs, blobs, folder, bases=work.bases)
        hosts = {base.repository: self._session.endpoint(base.repository) for base in work.bases.values()}
        plain = {str(repository.registry) for repository, place in hosts.items() if place.plain}
        authorities = {place.ca_file for place in hosts.values() if place.ca_file}
        auths = await self._auths(work)
        await asyncio.to_thread(_configure, folder, plain, authorities, auths)
        trust = {"auth": bool(auths), "certificates": bool(authorities)}
        await commands.run(buildah_argv.build(work, places, **trust), "the build")
        await commands.run(buildah_argv.push_to_layout(work, places), "writing the image")
        registry = work.target.repository.registry
        near = next((one.repository for one in work.bases.values() if one.repository.registry == registry), None)
        return await push_layout(folder / "layout", work.target, self._pusher, mount=near)

    async def _auths(self, work: Work) -> Mapping[str, Mapping[str, str]]:
        """The credentials that the bases need, and no others."""
        found: dict[str, Mapping[str, str]] = {}
        for base in work.bases.values():
            known = await self._session.keychain.find(base.repository)
            if known is None:
                continue
            user = known.username or "<token>"
            pair = base64.b64encode(f"{user}:{known.password}".encode()).decode("ascii")
            token = {"identitytoken": known.identity_token} if known.identity_token else {}
            found[str(base.repository)] = {"auth": pair, **token}
        return found


def sweep(folder: Path, *, path: str = "") -> int:
    """Remove the work folders of builds whose daemon is gone, and say how many there were. `path` is as Buildah's."""
    count = 0
    for work in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (work / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(work, _path(path))
            count += 1
    return count


def _path(stated: str) -> str:
    return stated or f"{os.environ.get('PATH', '')}:{buildah_argv.PATH}"


def _root() -> tuple[str, ...]:
    """What a command runs under to be root: of the users that builds have, where this process is not root itself."""
    return ("buildah", "unshare", "--") if os.geteuid() else ()


def _remove(work: Path, path: str) -> None:
    """Remove a work folder, as far as that is possible.

    Without root, what a build leaves belongs to users of its own, or lies in folders that nobody may write to.
    """
    shutil.rmtree(work, ignore_errors=True)
    if work.exists():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [*_root(), "rm", "-rf", "--", str(work)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=buildah_argv.environment(work, path),
                timeout=_PATIENCE,
                check=False,
            )


@contextlib.asynccontextmanager
async def _own(folder: Path, path: str) -> AsyncIterator[Path]:
    """A locked work folder, removed at the end; by the next life, where this one has no time for it."""
    work, lock = await asyncio.to_thread(_make, folder)
    left = False
    try:
        yield work
    except asyncio.CancelledError as ended:
        left = ended.args == (LEFT,)
        raise
    finally:
        os.close(lock)
        if not left:
            await asyncio.shield(asyncio.to_thread(_remove, work, path))


def _make(folder: Path) -> tuple[Path, int]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
        lock = os.open(work / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise BuildFailed(
            "the folder for builds cannot be written", where=str(folder), why=error.strerror or str(error)
        ) from None
    return work, lock


def _configure(work: Path, plain: set[str], authorities: set[str], auths: Mapping[str, Mapping[str, str]]) -> None:
    places = buildah_argv.Places(work)
    buildah_argv.prepare(work, plain)
    if auths:
        descriptor = os.open(places.auth, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"auths": auths}, file)
    if authorities:
        certificates = Path(places.certificates)
        certificates.mkdir()
        for number, path in enumerate(sorted(authorities)):
            try:
                shutil.copyfile(path, certificates / f"{number}.crt")
            except OSError as error:
                raise ImageRefused("the file of an authority cannot be read", where=path, why=str(error)) from None
