"""Who is asked what containers use, as the configuration says."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.daemon.usage import ask_as
from reconciler.errors import QueryUnanswered, Undelivered
from reconciler.http.transport import Request, Response, Transport
from reconciler.model.planner_config import KubernetesUsage, PrometheusUsage, UsageConfig

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHOP = frozenset({"shop"})
NOTHING = {"status": "success", "data": {"resultType": "vector", "result": []}}


class Recorder:
    """A Transport that answers `body` to everything."""

    def __init__(self, body: Any) -> None:
        self.requests: list[Request] = []
        self.closed = False
        self._body = json.dumps(body).encode()

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, {}, self._body)

    def stream(self, request: Request) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed = True


def nobody(base: str, authorities: str) -> Transport:
    raise AssertionError(f"{base} is not to be asked")


async def test_kubernetes_is_asked_by_the_clusters_own_client() -> None:
    cluster = Recorder({"items": []})
    ask = ask_as(UsageConfig(kubernetes=KubernetesUsage()), cluster, nobody)
    assert await ask(SHOP, NOW) == ()
    assert [request.path for request in cluster.requests] == ["/apis/metrics.k8s.io/v1beta1/pods"]


async def test_a_prometheus_is_asked_with_what_its_files_hold_then(tmp_path: Path) -> None:
    token, authorities = tmp_path / "token", tmp_path / "ca.pem"
    config = PrometheusUsage("https://p.example.com/x", str(token), str(authorities))
    opened: list[tuple[str, str, Recorder]] = []

    def connect(base: str, trusted: str) -> Transport:
        opened.append((base, trusted, Recorder(NOTHING)))
        return opened[-1][2]

    ask = ask_as(UsageConfig(prometheus=config), Recorder({}), connect)
    authorities.write_text("PEM\n")
    for secret in ("one", "two"):
        token.write_text(f"{secret}\n")
        assert await ask(SHOP, NOW) == ()
        base, trusted, transport = opened[-1]
        assert (base, trusted, transport.closed) == ("https://p.example.com/x", "PEM", True)
        assert {request.headers["authorization"] for request in transport.requests} == {f"Bearer {secret}"}
        assert {request.path for request in transport.requests} == {"/api/v1/query"}


async def test_without_a_token_none_is_sent() -> None:
    transport = Recorder(NOTHING)
    ask = ask_as(UsageConfig(prometheus=PrometheusUsage("http://p")), Recorder({}), lambda _base, _ca: transport)
    await ask(SHOP, NOW)
    assert all("authorization" not in request.headers for request in transport.requests)


async def test_a_file_that_is_missing_is_worth_another_try(tmp_path: Path) -> None:
    config = PrometheusUsage("http://p", str(tmp_path / "token"))
    with pytest.raises(QueryUnanswered, match="token cannot be read"):
        await ask_as(UsageConfig(prometheus=config), Recorder({}), nobody)(SHOP, NOW)


async def test_authorities_that_are_none_are_said() -> None:
    def connect(_base: str, _authorities: str) -> Transport:
        raise Undelivered("its caFile holds no certificate authorities in PEM")

    with pytest.raises(QueryUnanswered, match="holds no certificate authorities"):
        await ask_as(UsageConfig(prometheus=PrometheusUsage("http://p")), Recorder({}), connect)(SHOP, NOW)
