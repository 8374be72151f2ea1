"""Generated sequences of calls, made on both servers until they disagree (docs/testing.md says how to make more)."""

from collections import Counter
from collections.abc import Iterator

import pytest
from amount import examples
from generated_calls import Step, play, sequences
from generated_kinds import GADGETS, WIDGETS
from hypothesis import HealthCheck, given, settings
from kubernetes_api import Connection, KubernetesApi
from sandbox_api import CRDS, Api

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


@pytest.fixture(scope="module")
def group(connection: Connection) -> str:
    """An API group of the real server with the two custom resources that all sequences share."""
    name = f"{connection.tag()}.fuzz.example.com"
    api = KubernetesApi(connection, group=name)
    for definition in (WIDGETS, GADGETS):
        assert api.post(CRDS, definition).status == 201
    return name


@pytest.fixture(scope="module")
def counted(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """What was tried; told at the end."""
    count: Counter[str] = Counter()
    yield count
    told = request.config.pluginmanager.get_plugin("terminalreporter")
    if told is not None:
        told.write_line(
            f"{count['sequences']} sequences of {count['calls']} calls, {count['disagreements']} disagreements"
        )


def a_sandbox() -> Api:
    api = Api()
    api.post(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
    for definition in (WIDGETS, GADGETS):
        assert api.post(CRDS, definition).status == 201
    return api


@settings(examples(20), suppress_health_check=list(HealthCheck))
@given(steps=sequences())
def test_both_servers_answer_alike(
    connection: Connection, group: str, counted: Counter[str], steps: tuple[Step, ...]
) -> None:
    real = KubernetesApi(connection, group=group)
    try:
        disagreement = play(steps, a_sandbox(), real)
    finally:
        real.call("DELETE", f"{CRDS}/apples.mine-x.example.com")
    counted.update(sequences=1, calls=len(steps), disagreements=disagreement is not None)
    assert disagreement is None, str(disagreement)
