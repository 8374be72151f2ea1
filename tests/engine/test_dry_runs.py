"""Who may only read finds that out once, and finds out, too, that he may write by now."""

import asyncio
from random import Random

import pytest
from shop import ReadOnly
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.engine.dry_runs import DryRuns
from reconciler.errors import ApiError, Forbidden
from reconciler.http.transport import Request, Response
from reconciler.sandbox.server import Sandbox

HOUR = 3600.0


class Quota(ReadOnly):
    """Refuses as a full quota does: with a 403 that is not about our rights."""

    async def send(self, request: Request) -> Response:
        answer = await super().send(request)
        body = answer.body.replace(b"cannot patch resource", b"exceeded quota") if answer.status == 403 else answer.body
        return Response(answer.status, answer.headers, body)


def config(number: int, namespace: str = "default") -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}", "namespace": namespace}}


async def asked(reader: ReadOnly, clock: LoopClock) -> Cluster:
    """The cluster behind a transport, which knows what is served."""
    cluster = Cluster(reader, clock=clock, random=Random(7))
    await cluster.discovery.refresh()
    return cluster


@virtual
async def test_one_refusal_stands_for_all_of_its_kind_and_namespace_for_an_hour() -> None:
    clock = LoopClock()
    reader = ReadOnly(Sandbox(clock=clock).transport())
    cluster = await asked(reader, clock)
    dry_run = DryRuns(cluster)
    answers = await asyncio.gather(*(dry_run(config(n), force=True) for n in range(100)), return_exceptions=True)
    assert all(isinstance(answer, Forbidden) for answer in answers)
    assert len(reader.refused) == 1
    with pytest.raises(Forbidden):
        await dry_run(config(1, "kube-system"), force=True)
    assert len(reader.refused) == 2, "rights may be given for a namespace"
    reader.may_write = True
    with pytest.raises(Forbidden):
        await dry_run(config(1), force=True)
    await clock.sleep(HOUR)
    assert (await dry_run(config(1), force=True)).identity.name == "c1"
    await cluster.close()


@virtual
async def test_a_refusal_that_is_about_the_object_is_asked_for_each() -> None:
    clock = LoopClock()
    reader = Quota(Sandbox(clock=clock).transport())
    cluster = await asked(reader, clock)
    dry_run = DryRuns(cluster)
    for number in range(5):
        with pytest.raises(ApiError, match="exceeded quota"):
            await dry_run(config(number), force=True)
    assert len(reader.refused) == 5
    await cluster.close()
