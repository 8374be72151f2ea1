"""The way of `sandbox_api` to ask, on a real API server: what is in its tests can be said to both.

Controllers would answer beside the server, so there are none. Each Api has a namespace and an API group of its own,
which the tests call `default` and shop.example.com; cluster-scoped names of its own begin with `mine-`.
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import pytest
from kubernetes_server import KubernetesServer, shared
from sandbox_api import CRDS, Answer, Api

from reconciler.http.transport import Response

GROUP: Final = "shop.example.com"
SILENT: Final = 30.0  # seconds
WATCHED: Final = "3"  # seconds: what happened before is told at once, a busy server is a moment behind
SERVED_WITHIN: Final = 60.0  # seconds for an established definition to be served


class Connection:
    """One kept connection to a server, with the administrator's certificate. Who is silent for long, or was cut off,
    begins a new one: the server hangs up after 90 seconds."""

    def __init__(self, server: KubernetesServer) -> None:
        pki = server.folder / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        address = urlsplit(server.url)
        self._open = http.client.HTTPSConnection(address.hostname or "", address.port, context=context, timeout=30)
        self._tags = server.tags
        self._used = time.monotonic()

    def tag(self) -> str:
        return next(self._tags)

    def send(self, method: str, url: str, data: bytes, headers: Mapping[str, str]) -> Response:
        if time.monotonic() - self._used > SILENT:
            self._open.close()
        try:
            self._open.request(method, url, data or None, dict(headers))
            answer = self._open.getresponse()
            body = answer.read()
        except BaseException:
            self._open.close()
            raise
        self._used = time.monotonic()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def close(self) -> None:
        self._open.close()


class KubernetesApi(Api):
    """A namespace of a real API server."""

    def __init__(self, connection: Connection, *, group: str = "") -> None:
        self._connection = connection
        tag = connection.tag()
        self._space, self._group = f"contract-{tag}", group or f"{tag}.example.com"
        spaces = "/api/v1/namespaces"
        self._create(spaces, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._space}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        self._create(f"{spaces}/{self._space}/serviceaccounts", account)  # pods need it; a controller would make it

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Answer:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self._own(path + (f"?{urlencode(query)}" if query else ""))
        sent = {"content-type": media, "user-agent": "test/1.0", **(headers or {})}
        answer = self._connection.send(method, url, _recoded(data, self._own), sent)
        if (method, path, answer.status) == ("POST", CRDS, 201) and "dryRun" not in query:
            self._until_served(json.loads(answer.body))
        return Answer(Response(answer.status, answer.headers, _recoded(answer.body, self._common)))

    def watch(self, path: str, **query: str) -> list[Any]:
        answer = self.get(path, watch="1", timeoutSeconds=WATCHED, **query)
        return [json.loads(line) for line in answer.text.splitlines()]

    def _own(self, text: str) -> str:
        text = text.replace(GROUP, self._group).replace("/namespaces/default", f"/namespaces/{self._space}")
        text = text.replace("mine-", f"{self._space}-")
        return text.replace('"namespace": "default"', f'"namespace": "{self._space}"')

    def _common(self, text: str) -> str:
        text = text.replace(f"{self._space}-", "mine-")
        return text.replace(self._group, GROUP).replace(self._space, "default")

    def _create(self, path: str, body: Any) -> None:
        answer = self._connection.send("POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
        assert answer.status == 201, answer.body

    def _until_served(self, definition: Any) -> None:
        """A real server takes a moment from a definition to its API."""
        spec = definition["spec"]
        served = [version["name"] for version in spec["versions"] if version["served"]]
        if not served:
            return
        path = f"/apis/{spec['group']}/{served[0]}/{spec['names']['plural']}"
        deadline = time.monotonic() + SERVED_WITHIN
        while self._connection.send("GET", path, b"", {}).status != 200:
            assert time.monotonic() < deadline, f"{path} is not served"
            time.sleep(0.02)


def _recoded(data: bytes, change: Callable[[str], str]) -> bytes:
    """Change the text in what need not be text."""
    return change(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")


@pytest.fixture(scope="session")
def connection(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Connection]:
    """To an API server without controllers, which all processes of the test run share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "apiserver"
    with shared(folder, "t" if worker_id == "master" else worker_id, "--no-controllers") as server:
        opened = Connection(server)
        yield opened
        opened.close()


@pytest.fixture(params=["sandbox", "kubernetes"])
def api(request: pytest.FixtureRequest) -> Api:
    """Both servers, in turn. The sandbox is a new one each time and has no controllers either."""
    return Api() if request.param == "sandbox" else KubernetesApi(request.getfixturevalue("connection"))


@pytest.fixture
def kubernetes_api(connection: Connection) -> Api:
    """What only a real server can show."""
    return KubernetesApi(connection)


__all__ = ["Connection", "KubernetesApi", "api", "connection", "kubernetes_api"]
