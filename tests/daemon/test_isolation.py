"""What the process that reads forks gives up: tried by a program that wants it all."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from loopback import Handler, LoopbackServer

from reconciler.daemon.reviews.isolation import Measure

# What it says is a JSON object: "held", and for each attempt "" or the name of the error.
PROBE = """
import asyncio, json, os, socket, subprocess, sys
from reconciler.daemon.reviews.isolation import isolate
place, reads, secret, port = sys.argv[1:5]
os.chdir(place)
before = os.readlink("/proc/self/ns/net")
said = {"held": isolate([reads])}
said["network"] = os.readlink("/proc/self/ns/net") != before
def attempt(name, what):
    try:
        what()
    except OSError as error:
        said[name] = type(error).__name__
    else:
        said[name] = ""
def program(text):
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr)
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", int(port)), 5).close())
attempt("unix", lambda: socket.socket(socket.AF_UNIX).close())
attempt("udp", lambda: socket.socket(type=socket.SOCK_DGRAM).close())
attempt("packet", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close())
attempt("grandchild", lambda: program(f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"))
attempt("secret", lambda: open(secret).read())
attempt("linked", lambda: open("link").read())
attempt("environ", lambda: open(f"/proc/{os.getppid()}/environ", "rb").read())
attempt("list", lambda: os.listdir("/etc"))
attempt("borrowed", lambda: open(f"{reads}/object").read())
attempt("spoiled", lambda: open(f"{reads}/object", "w").close())
attempt("outside", lambda: open(f"{reads}/../new", "w").close())
attempt("own", lambda: open("new", "w").write("x"))
attempt("null", lambda: open("/dev/null", "w").write("x"))
git = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
attempt("git", lambda: subprocess.run(["git", "init", "--quiet", "there"], check=True, env=git))
attempt("loop", lambda: asyncio.run(asyncio.sleep(0)))
print(json.dumps(said))
"""


class Heard(Handler):
    def do_GET(self) -> None:
        raise AssertionError("nobody gets through")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    made = tmp_path / "secret"
    made.write_text("xyzzy")
    return made


def probed(secret: Path, *before: str) -> dict[str, Any]:
    """What the probe says; `before` is a command that runs it."""
    place, reads = secret.parent / "place", secret.parent / "objects"
    place.mkdir()
    reads.mkdir()
    (reads / "object").write_text("x")
    (place / "link").symlink_to(secret)
    with LoopbackServer(Heard) as server:
        port = server.url("").rpartition(":")[2]
        command = [*before, sys.executable, "-I", "-c", PROBE, str(place), str(reads), str(secret), port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def checked(said: dict[str, Any]) -> None:
    """Each measure that is said to hold does, and what is needed works."""
    if Measure.SOCKETS in said["held"]:
        assert [said[name] for name in ("tcp", "unix", "udp", "packet")] == ["PermissionError"] * 4
    if {Measure.SOCKETS, Measure.NAMESPACE} & {*said["held"]}:
        assert said["tcp"]
        assert said["grandchild"]
    assert said["network"] == (Measure.NAMESPACE in said["held"])
    if Measure.FILES in said["held"]:
        names = ("secret", "linked", "environ", "list", "spoiled", "outside")
        assert [said[name] for name in names] == ["PermissionError"] * len(names)
    assert [said[name] for name in ("borrowed", "own", "null", "git", "loop")] == [""] * 5


def test_what_is_given_up_is_gone(secret: Path) -> None:
    said = probed(secret)
    checked(said)
    if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64"):
        assert Measure.SOCKETS in said["held"], "that any kernel of today has"


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare, of the package util-linux")
def test_where_there_are_no_user_namespaces_as_in_a_pod(secret: Path) -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are switched off here, so that is what the other test shows")
    said = probed(secret, *inside, "sh", "-c", forbid, "sh")
    assert Measure.NAMESPACE not in said["held"]
    checked(said)


def test_it_stays_who_it_is(tmp_path: Path) -> None:
    text = "from reconciler.daemon.reviews.isolation import isolate, os; isolate([]); print(os.getuid(), os.getgid())"
    done = subprocess.run([sys.executable, "-I", "-c", text], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(os.getuid()), str(os.getgid())]
