"""The demo, told once in this process."""

import asyncio
import os
import re
import tempfile
import threading

from debian import which

from reconciler.cli.demo_registry import local_registry
from reconciler.cli.main import main


def can_build():
    return bool(os.geteuid() == 0 and which("buildah") and which("docker-registry"))


def test_the_demo_tells_the_whole_story(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where other demos of this machine leave nothing
    threads = set(threading.enumerate())
    builds = {can_build()}  # tests that run beside this one may install what is needed
    assert main(["demo"]) == 0
    builds.add(can_build())
    told = capsys.readouterr()
    assert told.err == ""
    assert "\x1b" not in told.out
    titles = re.findall(r"^\d\. ([A-Za-z ]+?)  ", told.out, re.MULTILINE)
    assert titles == ["A plan", "A commit", "A release", "A hand edit", "A removal", "A planner"]
    summary = told.out[told.out.index("That was it.") :]
    for happened in (
        "23 objects created in the right order, 1 changed by a release",
        "1 hand edit healed in ",
        "1 object removed because Git no longer has it",
        "Nothing is left running.",
        "reconciler demo --keep",
        "reconciler init my-shop",
    ):
        assert happened in summary
    for decided in (
        "3 replicas planned: general/zone-",
        " by the query, a replica carries 40 (the forecast is ",
        "       f.spread ",
        "     █ demand   · forecast   ─ what the replicas carry",
        " is lost, with general-",
    ):
        assert decided in told.out
    assert re.search(r"^ {5}[ ▁▂▃▄▅▆▇█·─]+ 3 replicas$", told.out, re.MULTILINE)
    assert re.search(r"^ {5}general-\d general/zone-[abc] +\d+ % +gone +\d+ % +gone$", told.out, re.MULTILINE)
    assert re.search(r"planned again \d+\.\d s later: Deployment/shop/search on general/zone-", told.out)
    built = "✓ built by buildah and pushed: 127.0.0.1:" in told.out
    assert built in builds
    assert ("Nothing is built: that needs root, buildah and docker-registry" in told.out) is not built
    assert "containers[name=web].image is evil.example.com/web:hacked" in told.out
    assert list(tmp_path.iterdir()) == []
    assert {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")} <= threads


def test_where_nothing_can_be_built_there_is_no_registry(tmp_path):
    async def host(path):
        async with local_registry(tmp_path / "registry", path) as found:
            return found

    assert asyncio.run(host("/nonexistent")) == ""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("buildah", "docker-registry"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    assert asyncio.run(host(str(programs))) == ""


def test_the_demo_needs_git(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.startswith("git is not on the PATH\n  hint: ")


def test_a_port_that_is_taken_is_said(capsys, api_server):
    port = re.search(r":(\d+)\}", api_server.read_text())
    assert port
    assert main(["demo", "--port", port.group(1)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"cannot listen on port {port.group(1)}",
        "  because: Address already in use",
        "  hint: --port takes another one; without it any free one is taken",
    ]
