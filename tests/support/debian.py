"""Programs of Debian's packages: found, or installed by the test run where it is root."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"  # a user's PATH may not lead there
_PACKAGES: Final = {"buildah": "buildah", "docker-registry": "docker-registry", "busybox": "busybox-static"}


def which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}")


def missing(programs: Sequence[str], folder: Path) -> str:
    """ "" when all `programs` are there, else one line that says which are not, and why.

    What is missing is installed once for all processes of a test run that share `folder`. Not under systemd, which
    would start a server for the whole network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed = folder / "debian.missing"
    with (folder / "debian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(which(program) is None for program in programs) and not failed.exists():
            failed.write_text(_install())
    absent = [_PACKAGES[program] for program in programs if which(program) is None]
    why = failed.read_text() if failed.exists() else ""
    return f"there is no {' and no '.join(absent)}{why}: install Debian's packages of that name" if absent else ""


def _install() -> str:
    """In brackets, why they could not be installed; "" where that needs no word."""
    if os.geteuid() or not shutil.which("apt-get"):
        return ""
    if Path("/run/systemd/system").exists():
        return " (not installed here: systemd would start docker-registry for the whole network)"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "--quiet", "--yes", "--no-install-recommends", "install", *_PACKAGES.values())
    for command in (("apt-get", "--quiet", "update"), install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            return f" (apt-get failed: {(done.stderr.strip() or 'it said nothing').splitlines()[-1]})"
    return ""
