"""Verbs that go on until they are told to stop, as processes of their own."""

import os
import re
import signal
import subprocess
import sys

import pytest
from processes import WAITING

LAUNCH = "import sys; from reconciler.cli.main import main; sys.exit(main())"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {currency: EUR}\n"


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_sandbox_prints_a_kubeconfig_and_ends_quietly(cli, tmp_path, sign):
    with start("sandbox", "--bare") as process:
        text = ""
        while "current-context" not in text:
            text += process.stdout.readline()
        (tmp_path / "kubeconfig").write_text(text)  # the first line is a comment
        assert cli("explain", "namespace/default", "--kubeconfig", tmp_path / "kubeconfig").code == 0
        process.send_signal(sign)
        assert process.stderr.read() == ""
        assert process.wait(20) == 0


def test_sandbox_writes_a_kubeconfig_for_its_owner_only(cli, tmp_path):
    file = tmp_path / "new" / "kubeconfig"
    with start("sandbox", "--bare", "--kubeconfig", file) as process:
        assert re.match(r"serving http://127\.0\.0\.1:\d+\n", process.stdout.readline())
        assert process.stdout.readline() == f"use it: export KUBECONFIG={file}\n"
        assert file.stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_status_is_watched_until_ctrl_c(cli, shop, api_server):
    assert cli("apply", shop({"a.yaml": CONFIG}), "--kubeconfig", api_server).code == 0
    with start("status", "--watch", "--kubeconfig", api_server) as process:
        assert process.stdout.readline() == "source shop\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() in ("", WAITING)


def test_the_demo_cleans_up_on_sigterm(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with process:
        while "git commit" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() is not None
        assert process.stderr.read() == ""
        assert process.wait(20) == 130
    assert list(tmp_path.iterdir()) == []


def test_run_without_a_configuration(cli):
    ran = cli("run", "--config", "/nonexistent.yaml")
    assert (ran.code, ran.err.splitlines()) == (
        1,
        [
            "/nonexistent.yaml: there is no configuration here",
            "  hint: --config names another file; docs/configuration.md has a whole one",
        ],
    )


def test_run_says_all_that_is_wrong_with_a_configuration(cli, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("sources:\n  - nam: shop\n    url: https://git.example.com/shop.git\nlistn: 0.0.0.0:8080\n")
    ran = cli("run", "--config", file)
    assert ran.code == 1
    assert f"{file}:2:5: sources[0].nam: unknown field" in ran.err
    assert f"{file}:4:1: listn: unknown field" in ran.err
    assert "hint: did you mean listen?" in ran.err
