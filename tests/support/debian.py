"""Programs from Debian's packages: the real parts that tests start beside ours.

    promtool = required(program("promtool", "prometheus", folder, service=True))

Root gets a missing one installed, once for all processes of a test run; others are told how to get it.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"  # where a user's PATH may not lead
# One at a time on this machine: two of apt-get disturb each other, whatever they install.
_LOCK: Final = Path(tempfile.gettempdir()) / f"reconciler-tests-apt-{os.getuid()}.lock"


def program(name: str, package: str, folder: Path, *, service: bool = False) -> Path | str:
    """The program `name`, or one line that says why there is none and how to get it.

    `folder` is shared by all processes of a test run: what failed there is not tried again. `service` says that the
    package has one: under systemd it is not installed, because it would start that for the whole network at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed = folder / f"{package}.missing"
    with _LOCK.open("w") as lock:  # also to look: what is being installed is there before it can run
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := which(name)) is None and not failed.exists():
            failed.write_text(_install(package, service=service))
            found = which(name)
    why = failed.read_text() if failed.exists() else ""
    return found or f"there is no {name} for these tests{why}: install Debian's package {package}"


def required(found: Path | str) -> Path:
    """The program. Skips the test where there is none; a failure where a machine of CI could have installed it."""
    if isinstance(found, Path):
        return found
    if os.environ.get("CI") == "true" and not os.geteuid():
        pytest.fail(found, pytrace=False)
    pytest.skip(found)


def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "debian"


def which(name: str) -> Path | None:
    """Where the program `name` is, servers and a system's own included."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}")
    return Path(found) if found else None


def _install(package: str, *, service: bool) -> str:
    """In brackets, why it could not be installed; "" where that needs no word."""
    if os.geteuid() or not shutil.which("apt-get"):
        return ""
    if service and Path("/run/systemd/system").exists():
        return " (not installed here: systemd would start its service for the whole network)"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "--quiet", "--yes", "--no-install-recommends", "install", package)
    for command in (("apt-get", "--quiet", "update"), install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            return f" (apt-get failed: {(done.stderr.strip() or 'it said nothing').splitlines()[-1]})"
    return ""
