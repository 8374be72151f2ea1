"""A real Alertmanager: what it makes of what we say."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest
from alert_events import WEB, config_map, drifted, event, healed
from alert_messages import Teller
from debian import program, required, shared
from hook_server import HookServer
from processes import free_port, until

from reconciler.alerts.batch import Phase
from reconciler.alerts.message import Message
from reconciler.alerts.receivers.alertmanager import LASTS, REFRESH, Alertmanager, alert
from reconciler.clock import SystemClock
from reconciler.daemon.alerting import connect
from reconciler.errors import Refused
from reconciler.kube.names import Identity
from reconciler.model.alerting import AlertmanagerReceiver
from reconciler.model.event import Event, EventType


class Running(NamedTuple):
    """`hook` is told what Alertmanager tells people."""

    url: str
    hook: HookServer

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """What its API shows as active."""
        with urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=5) as answer:
            return [each for each in json.load(answer) if labels.items() <= each["labels"].items()]

    def heard(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """Alerts of a status in notifications."""
        found = [each for taken in self.hook.taken for each in json.loads(taken.body)["alerts"]]
        return [each for each in found if each["status"] == status and labels.items() <= each["labels"].items()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Running]:
    found = required(
        program("prometheus-alertmanager", "prometheus-alertmanager", shared(tmp_path_factory, worker_id), service=True)
    )
    folder = tmp_path_factory.mktemp("alertmanager")
    port = free_port()
    with HookServer() as hook:
        (folder / "config.yml").write_text(
            "route: {receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: '{hook.url()}', send_resolved: true}}]}}]\n"
        )
        arguments = (
            f"--config.file={folder}/config.yml",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([found, *arguments], stdout=log, stderr=log)
        made = Running(f"http://127.0.0.1:{port}", hook)
        try:
            until(lambda: answers(made), "Alertmanager answers")
            yield made
        finally:
            process.terminate()
            process.wait(10)


def answers(running: Running) -> bool:
    try:
        return running.alerts() == []
    except OSError:
        return False


def now() -> datetime:
    return datetime.now(UTC)


async def deliver(url: str, messages: Sequence[Message]) -> None:
    receiver = Alertmanager(AlertmanagerReceiver(url), connect, SystemClock())
    try:
        for message in messages:
            await receiver.deliver(message)
    finally:
        await receiver.close()


def tell(running: Running, *messages: Message) -> None:
    asyncio.run(deliver(running.url, messages))


def stated(said: Event, identity: Identity, time: datetime) -> Event:
    return replace(said, time=time, identity=identity)


def test_an_alert_appears_is_known_again_and_resolves(running: Running) -> None:
    start = now()
    teller = Teller(reminder=60, start=start)
    object_ = config_map(1)
    tell(running, teller.say(stated(drifted(identity=object_), object_, start), seconds=0))
    (shown,) = running.alerts(name="c1")
    assert shown["labels"] == {
        "alertname": "ReconcilerDrift",
        "severity": "warning",
        "install": "test",
        "source": "shop",
        "kind": "ConfigMap",
        "namespace": "shop",
        "name": "c1",
    }
    assert shown["annotations"]["summary"] == "ConfigMap/shop/c1 drifted"
    assert shown["annotations"]["description"] == "spec.replicas: 3 → 5\nmetadata.labels[tier]: front → nothing"
    assert shown["annotations"]["wanted"] == "apps/web.yaml:12"
    assert abs(datetime.fromisoformat(shown["startsAt"]) - start) < timedelta(milliseconds=2)

    again = teller.next(60)
    assert [item.phase for item in again.batch.items] == [Phase.LASTS]
    tell(running, again, again)
    (known,) = running.alerts(name="c1")
    assert (known["fingerprint"], known["startsAt"]) == (shown["fingerprint"], shown["startsAt"])
    assert known["endsAt"] > shown["endsAt"], "it would have been resolved without word from us"

    until(lambda: running.heard("firing", name="c1"), "people are told")
    over = teller.say(stated(healed(identity=object_), object_, now()), seconds=0)
    tell(running, over)
    until(lambda: not running.alerts(name="c1"), "it is resolved")
    until(lambda: running.heard("resolved", name="c1"), "people are told that it is over")
    assert len(running.heard("firing", name="c1")) == 1
    assert len(running.heard("resolved", name="c1")) == 1


def test_what_passed_before_it_was_told_troubles_nobody(running: Running) -> None:
    start = now() - timedelta(seconds=5)
    object_ = config_map(2)
    began, over = stated(drifted(identity=object_), object_, start), stated(healed(identity=object_), object_, now())
    tell(running, Teller(start=start).say(began, over))
    assert running.alerts(name="c2") == []


def test_a_thousand_in_a_few_requests(running: Running) -> None:
    start = now()
    teller = Teller(most=Alertmanager.most, start=start)
    messages = [teller.say(*(stated(drifted(), config_map(n), start) for n in range(1000, 2000)), seconds=0)]
    while teller.outbox.depth:
        messages.append(teller.next(0))
    assert len(messages) == 3
    tell(running, *messages)
    assert len(running.alerts(source="shop", kind="ConfigMap")) == 1000


def test_each_topic_is_taken(running: Running) -> None:
    start = now()
    for kind in (EventType.SYNC_FAILED, EventType.INVALID, EventType.NOT_READY, EventType.FAILED):
        said = replace(event(kind, subject="apps/web.yaml", source="topics"), time=start)
        tell(running, Teller(start=start).say(said, seconds=0))
    assert {each["labels"]["alertname"] for each in running.alerts(source="topics")} == {
        "ReconcilerSync",
        "ReconcilerSpec",
        "ReconcilerStart",
        "ReconcilerObject",
    }


def test_another_server_at_the_address_is_noticed(running: Running) -> None:
    with pytest.raises(Refused, match="404"):
        asyncio.run(deliver(f"{running.url}/elsewhere", [Teller().say(drifted())]))


def test_labels_do_not_change_while_it_lasts() -> None:
    teller = Teller(reminder=60)
    first = teller.say(event(EventType.HELD, identity=WEB, message="12 of 40 would go"))
    teller.register.take(event(EventType.HELD, 30, identity=WEB, message="13 of 40 would go"))
    for each in teller.register.open.values():
        teller.outbox.put(each, teller.now)
    later = teller.next(60)
    one, two = alert(first, first.batch.items[0]), alert(later, later.batch.items[0])
    assert (one["labels"], one["startsAt"]) == (two["labels"], two["startsAt"])
    assert one["annotations"] != two["annotations"]


def test_it_is_sent_again_long_before_it_would_be_resolved() -> None:
    assert timedelta(seconds=REFRESH) * 3 < LASTS
