"""Questions in PromQL, to a real Prometheus and to servers that answer badly."""

import json
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import prometheus_server
import pytest
from debian import program, required, shared
from processes import until

from reconciler.clock import SystemClock
from reconciler.daemon.usage import questions_to
from reconciler.engine.demanding import Demanding, Follow
from reconciler.errors import QueryFailed, QueryUnanswered, TransportError
from reconciler.http.client import HttpTransport
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity
from reconciler.model.filled import Draft, Record
from reconciler.model.planner_config import PrometheusUsage, UsageConfig
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.spec import Scale
from reconciler.model.usage import Measurement, Series, Usage
from reconciler.planner.allocation import Before, allot
from reconciler.planner.scaling import Outlook
from reconciler.usage.containers import measure, past_of
from reconciler.usage.demands import Demands
from reconciler.usage.prometheus import Prometheus, single

T = TypeVar("T")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """A real Prometheus with an hour of two series, and of what a kubelet says of containers; its URL."""
    folder = tmp_path_factory.mktemp("prometheus")
    programs = shared(tmp_path_factory, worker_id)
    promtool, prometheus = (
        required(program(name, "prometheus", programs, service=True)) for name in ("promtool", "prometheus")
    )
    lines = ["# TYPE load gauge"]
    for series, first in (("a", 1.0), ("b", 10.0)):
        for minute in range(60):
            when = NOW - timedelta(minutes=60 - minute)
            lines.append(f'load{{pod="{series}"}} {first + minute} {when.timestamp():.0f}')
    lines += container_series()
    text = folder / "load.txt"
    text.write_text("\n".join([*lines, "# EOF\n"]))
    made = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", text, folder / "data"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not made.returncode, made.stderr
    with prometheus_server.Prometheus(prometheus, folder, "--storage.tsdb.retention.time=20y") as running:
        until(lambda: running.query(f'load{{pod="a"}} @ {(NOW - MINUTE).timestamp():.0f}'), "its blocks are there")
        yield running.url


def container_series() -> Iterator[str]:
    """As cAdvisor has them: containers, what is scraped twice, whole pods, sandboxes, a pod that has just begun."""
    of_web = 'namespace="shop",pod="web-1",container="web"'
    cpu = {
        f'{of_web},job="kubelet"': 0.5,
        f'{of_web},job="cadvisor"': 0.5,
        'namespace="shop",pod="web-1",container="proxy"': 0.25,
        'namespace="shop",pod="web-1",container=""': 0.75,
        'namespace="shop",pod="web-1",container="POD"': 0.1,
        'namespace="shop-2",pod="web-1",container="web"': 2.0,
        'namespace="shop",pod="api-7d4b9c5f6-x2x7z",container="api"': 1.0,
        'namespace="shop",pod="api-7d4b9c5f6-x2x7z",container="proxy"': 0.5,
        'namespace="shop",pod="api-8f5c9-bcdfg",container="api"': 2.0,
        'namespace="shop",pod="api-docs-8f5c9-bcdfg",container="api"': 8.0,
    }
    yield "# TYPE container_cpu_usage_seconds counter"
    for labels, cores in cpu.items():
        for minute in range(60):
            when = (NOW - timedelta(minutes=60 - minute)).timestamp()
            yield f"container_cpu_usage_seconds_total{{{labels}}} {cores * 60 * minute} {when:.0f}"
    yield "# TYPE container_memory_working_set_bytes gauge"
    for labels in (*cpu, 'namespace="shop",pod="web-2",container="web"'):
        yield f"container_memory_working_set_bytes{{{labels}}} {64 * 2**20} {(NOW - MINUTE).timestamp():.0f}"


async def ask(url: str, call: Callable[[Prometheus], Coroutine[Any, Any, T]]) -> T:
    transport = HttpTransport(url)
    try:
        return await call(Prometheus(transport))
    finally:
        await transport.close()


def values(found: tuple[Series, ...]) -> dict[str, tuple[float, ...]]:
    return {series.labels.get("pod", ""): series.values for series in found}


async def test_an_instant_has_one_value_for_each_series(server: str) -> None:
    found = await ask(server, lambda it: it.instant("load", NOW - MINUTE))
    assert values(found) == {"a": (60.0,), "b": (69.0,)}
    assert all(series.times == (NOW - MINUTE,) for series in found)
    assert all(set(series.labels) == {"pod"} for series in found), "without the metric's name"


async def test_a_range_has_all_of_them(server: str) -> None:
    (found,) = await ask(server, lambda it: it.range('load{pod="a"}', NOW - 60 * MINUTE, NOW - MINUTE, MINUTE))
    assert found.values == tuple(float(n) for n in range(1, 61))
    assert found.times[0] == NOW - 60 * MINUTE
    assert found.times[-1] == NOW - MINUTE


async def test_a_scalar_is_a_series_without_labels(server: str) -> None:
    assert values(await ask(server, lambda it: it.instant("scalar(sum(load))", NOW - MINUTE))) == {"": (129.0,)}


async def test_what_is_no_number_is_left_out(server: str) -> None:
    (found,) = await ask(server, lambda it: it.instant('load{pod="a"} / 0 - load{pod="a"} / 0', NOW - MINUTE))
    assert found.values == ()


async def test_nothing_measured_is_an_empty_answer(server: str) -> None:
    assert await ask(server, lambda it: it.instant("nobody_knows", NOW)) == ()


async def test_a_wrong_query_is_told_as_such(server: str) -> None:
    with pytest.raises(QueryFailed, match="parse error"):
        await ask(server, lambda it: it.instant("load{", NOW))


async def test_a_long_query_is_asked_all_the_same(server: str) -> None:
    many = "|".join(f"pod-{n:06}" for n in range(5000))
    assert await ask(server, lambda it: it.instant(f'load{{pod=~"{many}"}}', NOW)) == ()


async def test_containers_are_measured_in_cores_and_bytes(server: str) -> None:
    pod = Identity("", "Pod", "shop", "web-1")
    at = NOW - MINUTE
    found = await ask(server, lambda it: measure(it, {"shop", "bank"}, at))
    assert {each.container: each for each in found if each.pod == pod} == {
        "web": Measurement(pod, "web", pytest.approx(0.5), 64 * 2**20, at),
        "proxy": Measurement(pod, "proxy", pytest.approx(0.25), 64 * 2**20, at),
    }
    assert await ask(server, lambda it: measure(it, {"bank"}, at)) == ()


async def test_what_is_not_measured_lately_is_not_there(server: str) -> None:
    assert await ask(server, lambda it: measure(it, {"shop"}, NOW + 10 * MINUTE)) == ()


@pytest.mark.parametrize(("names", "cores"), [(("api",), 3.5), (("api", "api-docs"), 11.5)])
async def test_the_past_of_deployments_is_that_of_all_their_pods(
    server: str, names: tuple[str, ...], cores: float
) -> None:
    query = past_of(*(Identity("apps", "Deployment", "shop", name) for name in names))
    assert query is not None
    (found,) = await ask(server, lambda it: it.range(query, NOW - 50 * MINUTE, NOW - MINUTE, 5 * MINUTE))
    assert found.values == pytest.approx([cores] * len(found.values))
    assert len(found.values) == 10


def test_other_workloads_have_no_past() -> None:
    assert past_of(Identity("batch", "Job", "shop", "api")) is None
    assert past_of() is None


WEB = Identity("reconciler.dev", "Deployment", "shop", "web")
TEMPLATE: dict[str, Any] = {"metadata": {}, "spec": {"containers": [{"name": "web"}]}}


@pytest.mark.parametrize(
    ("query", "replicas", "why"),
    [
        ("sum(load)", 3, " by the query"),  # 60 and 69, 50 for each
        ("sum(load) * 0", 0, ""),
        ("sum(nobody_knows) or vector(0)", 0, ""),
        ("load", 7, "the query finds 2 series, not one"),
        ("nobody_knows", 7, "the query finds nothing"),
        ("sum(load) / 0 - sum(load) / 0", 7, "the query finds no amount"),
        ("sum(load", 7, "the query is not understood"),
    ],
)
async def test_a_query_of_a_spec_makes_a_number_of_replicas(server: str, query: str, replicas: int, why: str) -> None:
    """What says nothing keeps the seven that there are."""
    at = NOW - MINUTE
    config = UsageConfig(prometheus=PrometheusUsage(server))
    questions = questions_to(config, lambda url, _authorities: HttpTransport(url))
    demanding = Demanding(_Nowhere(), questions, clock=SystemClock(), random=Random(1))
    demanding.follow({WEB: Follow(query)})
    await demanding.ask({}, at)
    usage = Usage(demand=demanding.demand(), lacking=demanding.lacking(""))
    draft = Draft(WEB, WEB, TEMPLATE, "h", scale=Scale(max=9, min=0, query=query, per_replica=50))
    since = Outlook(7, ((at - timedelta(hours=1), 7),))
    before = Before(Record("h", replicas=7), outlook=since)
    found = allot(draft, before, usage, spares=1, rules=Allocation(), policy=Policy(), now=at)
    assert found.replicas == replicas
    assert why in found.why["replicas"]


async def test_a_server_that_does_not_answer_keeps_all(server: str) -> None:
    config = UsageConfig(prometheus=PrometheusUsage("http://127.0.0.1:9"))
    questions = questions_to(config, lambda url, _authorities: HttpTransport(url))
    assert questions is not None
    one, other = await questions.values(["up", "sum(load)"], NOW)
    assert isinstance(one, QueryUnanswered)
    assert other is one, "the second is not asked"


class _Nowhere:
    async def read(self) -> Demands:
        raise NotImplementedError

    async def write(self, _demands: Demands) -> float:
        raise NotImplementedError


class Canned:
    """A Transport that always gives the same answer, or none."""

    def __init__(self, status: int, body: bytes | None) -> None:
        self._status = status
        self._body = body

    async def send(self, request: Request) -> Response:
        if self._body is None:
            raise TransportError("refused", hint="is it on?")
        return Response(self._status, {}, self._body)

    @asynccontextmanager
    async def stream(self, request: Request) -> Any:
        raise NotImplementedError
        yield

    async def close(self) -> None:
        pass


def vector(*rows: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": list(rows)}}).encode()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, None),
        (200, b""),
        (200, b"<html>a proxy's page</html>"),
        (200, b'{"status": ' + b"[" * 10_000),
        (502, b"bad gateway"),
        (503, json.dumps({"status": "error", "errorType": "timeout", "error": "query timed out"}).encode()),
        (200, json.dumps({"status": "success"}).encode()),
        (200, vector({"metric": {}, "value": [1, "many"]})),
        (200, vector({"metric": {}, "value": ["one", "1"]})),
        (200, vector({"metric": {}, "value": [1e300, "1"]})),
        (200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": {}}}).encode()),
    ],
)
async def test_no_usable_answer_is_worth_another_try(status: int, body: bytes | None) -> None:
    with pytest.raises(QueryUnanswered):
        await Prometheus(Canned(status, body)).instant("up", NOW)


async def test_who_does_not_answer_is_told_with_advice() -> None:
    with pytest.raises(QueryUnanswered) as caught:
        await Prometheus(Canned(200, None)).instant("up", NOW)
    assert caught.value.hint == "is it on?"


async def test_infinity_is_no_measurement() -> None:
    rows = [{"metric": {"pod": text}, "value": [NOW.timestamp(), text]} for text in ("NaN", "+Inf", "-Inf", "1e3")]
    found = await Prometheus(Canned(200, vector(*rows))).instant("up", NOW)
    assert values(found) == {"NaN": (), "+Inf": (), "-Inf": (), "1e3": (1000.0,)}


async def test_what_nobody_asked_about_is_no_past() -> None:
    times = [NOW.timestamp() + minutes * 60 for minutes in (-61, -60, 0, 1, 1e6)]
    row = {"metric": {}, "values": [[each, "1"] for each in times]}
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [row]}}).encode()
    (found,) = await Prometheus(Canned(200, body)).range("up", NOW - 60 * MINUTE, NOW, MINUTE)
    assert found.times == (NOW - 60 * MINUTE, NOW)
    assert found.values == (1.0, 1.0)


def test_a_query_has_one_value() -> None:
    assert single("q", [Series({}, (NOW,), (2.5,))]) == 2.5


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "finds nothing"),
        ([Series({}, (), ())], "no amount"),
        ([Series({}, (NOW,), (-1.0,))], "no amount"),
        ([Series({}, (NOW,), (1.0,))] * 2, "finds 2 series"),
    ],
)
def test_what_is_not_one_amount_is_refused(found: list[Series], why: str) -> None:
    with pytest.raises(QueryFailed, match=why):
        single("q", found)
