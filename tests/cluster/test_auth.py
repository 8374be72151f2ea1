"""Credentials as the official client reads them from a kubeconfig."""

import base64
import ssl
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from processes import free_port

from reconciler.clock import SystemClock, run_virtual
from reconciler.cluster.auth import FRESH, Credentials, Endpoint
from reconciler.cluster.connect import connect
from reconciler.errors import ConfigError, TransportError
from reconciler.http.transport import Request


class Hands:
    """A clock that is turned by hand."""

    time = 1000.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> Any:
        return SystemClock().now()

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def kubeconfig(path: Path, user: dict[str, Any], **cluster: Any) -> str:
    cluster = {"server": "http://127.0.0.1:8001", **cluster}
    file = path / "kubeconfig"
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "one",
                "clusters": [
                    {"name": "one", "cluster": cluster},
                    {"name": "two", "cluster": {"server": "http://127.0.0.1:2"}},
                ],
                "users": [{"name": "me", "user": user}],
                "contexts": [
                    {"name": "one", "context": {"cluster": "one", "user": "me"}},
                    {"name": "two", "context": {"cluster": "two", "user": "me"}},
                ],
            }
        )
    )
    return str(file)


def loaded(file: str | None, context: str | None = None) -> tuple[Credentials, Endpoint, Hands]:
    clock = Hands()
    credentials = Credentials(file, context, clock)
    return credentials, run_virtual(credentials.load()), clock


def authorization(credentials: Credentials, *, refused: bool = False) -> str | None:
    return run_virtual(credentials.headers(refused)).get("authorization")


def test_a_token(tmp_path: Path) -> None:
    credentials, endpoint, _ = loaded(kubeconfig(tmp_path, {"token": "abc"}))
    assert endpoint == Endpoint("http://127.0.0.1:8001", None)
    assert authorization(credentials) == "Bearer abc"


def test_a_password(tmp_path: Path) -> None:
    credentials, _, _ = loaded(kubeconfig(tmp_path, {"username": "me", "password": "pw"}))
    assert authorization(credentials) == "Basic " + base64.b64encode(b"me:pw").decode()


def test_nobody(tmp_path: Path) -> None:
    credentials, _, _ = loaded(kubeconfig(tmp_path, {}))
    assert run_virtual(credentials.headers(False)) == {}


def test_a_context_by_name(tmp_path: Path) -> None:
    _, endpoint, _ = loaded(kubeconfig(tmp_path, {"token": "abc"}), "two")
    assert endpoint.url == "http://127.0.0.1:2"


def plugin(path: Path) -> dict[str, Any]:
    """An exec plugin that counts its runs and gives a token that expires in two seconds from now."""
    script = path / "plugin.py"
    script.write_text(
        f"""
import datetime, json, pathlib
count = pathlib.Path({str(path / "count")!r})
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
status = {{"token": f"token-{{number}}", "expirationTimestamp": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""
    )
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script)],
            "interactiveMode": "Never",
        }
    }


def test_a_plugin_s_token_is_kept_a_while_and_renewed_before_it_expires(tmp_path: Path) -> None:
    credentials, _, clock = loaded(kubeconfig(tmp_path, plugin(tmp_path)))
    first = authorization(credentials)
    assert first is not None
    assert first.startswith("Bearer token-")
    assert authorization(credentials) == first
    clock.time += 60
    assert authorization(credentials) not in (None, first)


def test_a_refused_token_is_renewed_but_not_at_every_refusal(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, {"token": "old"})
    credentials, _, clock = loaded(file)
    assert authorization(credentials) == "Bearer old"
    kubeconfig(tmp_path, {"token": "new"})
    clock.time += 1
    assert authorization(credentials) == "Bearer old"
    assert authorization(credentials, refused=True) == "Bearer new"
    kubeconfig(tmp_path, {"token": "newer"})
    clock.time += 1
    assert authorization(credentials, refused=True) == "Bearer new"
    clock.time += 60
    assert authorization(credentials, refused=True) == "Bearer newer"


def test_tls_follows_the_kubeconfig(tmp_path: Path) -> None:
    server = {"server": "https://127.0.0.1:6443", "tls-server-name": "kubernetes.default"}
    _, endpoint, _ = loaded(kubeconfig(tmp_path, {}, **server))
    assert endpoint.ssl is not None
    assert endpoint.ssl.verify_mode is ssl.CERT_REQUIRED
    assert endpoint.server_hostname == "kubernetes.default"
    _, endpoint, _ = loaded(kubeconfig(tmp_path, {}, **server, **{"insecure-skip-tls-verify": True}))
    assert endpoint.ssl is not None
    assert endpoint.ssl.verify_mode is ssl.CERT_NONE


def test_no_proxy_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost, 127.0.0.1")
    proxied = {"proxy-url": "http://127.0.0.1:3128"}
    _, endpoint, _ = loaded(kubeconfig(tmp_path, {}, **proxied))
    assert endpoint.proxy is None
    monkeypatch.setenv("NO_PROXY", "localhost")
    _, endpoint, _ = loaded(kubeconfig(tmp_path, {}, **proxied))
    assert endpoint.proxy == "http://127.0.0.1:3128"


@pytest.mark.parametrize("text", ["", "{", "[]", "a: b", "contexts: 5\ncurrent-context: x", "\x00"])
def test_a_broken_kubeconfig_is_a_clear_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        loaded(str(file))
    assert str(file) in str(caught.value)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no kubeconfig here"):
        loaded(str(tmp_path / "nowhere"))
    file = kubeconfig(tmp_path, {"token": "s3cret"})
    with pytest.raises(ConfigError) as caught:
        loaded(file, "three")
    assert "three" in str(caught.value)
    assert "s3cret" not in "".join(caught.value.diagnostics())
    ca = {"server": "https://127.0.0.1:6443", "certificate-authority-data": base64.b64encode(b"no").decode()}
    file = kubeconfig(tmp_path, {}, **ca)
    with pytest.raises(ConfigError, match="certificates"):
        loaded(file)


async def test_connect(tmp_path: Path) -> None:
    cluster = await connect(kubeconfig(tmp_path, {"token": "abc"}), None, clock=SystemClock(), random=Random(1))
    assert cluster.requests == {}
    await cluster.close()


async def test_where_nobody_listens_the_advice_is_about_the_api_server(tmp_path: Path) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    cluster = await connect(kubeconfig(tmp_path, {}, server=server), None, clock=SystemClock(), random=Random(1))
    with pytest.raises(TransportError) as caught:
        await cluster.transport.send(Request("POST", "/api"))  # which is not sent twice
    assert caught.value.hint == "is the API server running, and is its address right?"
    await cluster.close()


def test_connections_stay_while_the_certificates_do(tmp_path: Path) -> None:
    credentials, endpoint, clock = loaded(kubeconfig(tmp_path, {"token": "abc"}, server="https://127.0.0.1:6443"))
    authorization(credentials, refused=True)
    clock.time += FRESH
    authorization(credentials, refused=True)
    assert credentials.tls() is endpoint.ssl


def test_certificates_that_are_gone_when_they_are_to_be_renewed_are_named(tmp_path: Path) -> None:
    credentials, _, _ = loaded(kubeconfig(tmp_path, {"token": "abc"}, server="https://127.0.0.1:6443"))
    gone = str(tmp_path / "gone.crt")
    kubeconfig(tmp_path, {"client-certificate": gone, "client-key": gone}, server="https://127.0.0.1:6443")
    with pytest.raises(ConfigError, match=r"gone\.crt"):
        authorization(credentials, refused=True)
