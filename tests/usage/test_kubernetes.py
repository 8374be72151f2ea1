"""What metrics-server says, well and badly."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.errors import QueryFailed, QueryUnanswered, TransportError
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity
from reconciler.usage.kubernetes import measure


class Canned:
    def __init__(self, status: int, body: Any) -> None:
        self._status, self._body = status, body

    async def send(self, request: Request) -> Response:
        assert (request.method, request.path) == ("GET", "/apis/metrics.k8s.io/v1beta1/pods")
        if self._body is None:
            raise TransportError("refused", hint="is it on?")
        body = self._body if isinstance(self._body, bytes) else json.dumps(self._body).encode()
        return Response(self._status, {}, body)

    def stream(self, request: Request) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def pod(name: str, **usage: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "timestamp": "2026-03-01T12:00:00Z",
        "window": "15.1s",
        "containers": [{"name": "web", "usage": usage}],
    }


async def test_each_container_is_measured_in_cores_and_bytes() -> None:
    (found,) = await measure(Canned(200, {"items": [pod("web-1", cpu="1250000n", memory="64Mi")]}))
    assert found.pod == Identity("", "Pod", "shop", "web-1")
    assert (found.container, found.cpu, found.memory) == ("web", 0.00125, 64 * 2**20)
    assert found.when == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "usage", [{}, {"cpu": "1"}, {"cpu": "much", "memory": "1Mi"}, {"cpu": "1e999", "memory": "1Mi"}]
)
async def test_a_container_that_is_not_measured_hides_no_other(usage: dict[str, str]) -> None:
    found = await measure(Canned(200, {"items": [pod("a", **usage), pod("b", cpu="1", memory="1Mi")]}))
    assert [each.pod.name for each in found] == ["b"]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_who_cannot_be_asked_is_told_as_such(status: int) -> None:
    with pytest.raises(QueryFailed):
        await measure(Canned(status, {"kind": "Status"}))


@pytest.mark.parametrize(
    ("status", "body"), [(503, {}), (200, b"no json"), (200, {"items": [{"metadata": {}}]}), (200, None)]
)
async def test_no_usable_answer_is_worth_another_try(status: int, body: Any) -> None:
    with pytest.raises(QueryUnanswered):
        await measure(Canned(status, body))


async def test_who_does_not_answer_is_told_with_advice() -> None:
    with pytest.raises(QueryUnanswered) as caught:
        await measure(Canned(200, None))
    assert caught.value.hint == "is it on?"
