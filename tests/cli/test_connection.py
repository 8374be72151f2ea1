"""No way to the cluster: said at once, with what to do."""

import time

import pytest

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {currency: EUR}\n"


@pytest.mark.parametrize("verb", ["status", "history", "prune", "plan", "apply", "explain deployment/web", "suspend a"])
def test_a_server_that_does_not_answer(cli, shop, tmp_path, monkeypatch, verb):
    monkeypatch.chdir(shop({"a.yaml": CONFIG}))
    (tmp_path / "kc").write_text(KUBECONFIG)
    began = time.monotonic()
    ran = cli(*verb.split(), "--kubeconfig", tmp_path / "kc")
    assert time.monotonic() - began < 30, "half of what a daemon would try for"
    first, because, hint = ran.err.splitlines()
    assert (ran.code, first) == (1, "the API server does not answer")
    assert "127.0.0.1:9" in because
    assert "--kubeconfig" in hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no kubeconfig here"),
        ("a: [", "the kubeconfig cannot be used"),
        ("{}", "there is no way to the cluster"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(cli, tmp_path, text, said):
    kubeconfig = tmp_path / "kc"
    if text is not None:
        kubeconfig.write_text(text)
    ran = cli("status", "--kubeconfig", kubeconfig)
    assert ran.code == 1
    assert ran.err.splitlines()[0] == f"{kubeconfig}: {said}"
    assert "hint: " in ran.err.splitlines()[-1]


def test_a_context_that_is_not_there(cli, tmp_path):
    (tmp_path / "kc").write_text(KUBECONFIG)
    ran = cli("status", "--kubeconfig", tmp_path / "kc", "--context", "prod")
    assert ran.code == 1
    assert "prod" in ran.err


def test_a_state_namespace_that_is_not_there(cli, shop, api_server):
    folder = shop({"a.yaml": CONFIG})
    ran = cli("apply", folder, "--kubeconfig", api_server, "--state-namespace", "elsewhere")
    assert ran.code == 1
    assert ran.err.startswith("there is no namespace elsewhere to keep the state in\n")
    assert "kubectl create namespace elsewhere" in ran.err
    assert cli("plan", folder, "--kubeconfig", api_server, "--state-namespace", "elsewhere").code == 2


def test_nothing_was_ever_applied(cli, api_server):
    for verb in ("status", "history", "prune", "suspend shop", "resume shop"):
        ran = cli(*verb.split(), "--kubeconfig", api_server)
        assert ran.code == 1
        assert ran.err.splitlines()[0] == "no source has a state in namespace reconciler-system"
