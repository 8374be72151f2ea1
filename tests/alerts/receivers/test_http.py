"""CloudEvents, and the signature as somebody else would check it."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from alert_events import at, config_map, drifted, event, healed
from alert_messages import Teller
from hook_server import HookServer, Taken

from reconciler.alerts.receivers.http import CloudEvents
from reconciler.alerts.receivers.http import event as cloud_event
from reconciler.clock import SystemClock
from reconciler.daemon.alerting import connect
from reconciler.errors import Undelivered
from reconciler.model.alerting import HttpReceiver
from reconciler.model.event import EventType


def hmac_sha256(key: bytes, content: bytes) -> bytes:
    """RFC 2104, by the letter."""
    key = hashlib.sha256(key).digest() if len(key) > 64 else key
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(each ^ 0x36 for each in key) + content).digest()
    return hashlib.sha256(bytes(each ^ 0x5C for each in key) + inner).digest()


def test_the_check_itself() -> None:
    """RFC 4231, test cases 2 and 6."""
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex().startswith("5bdcc146bf60754e6a042426089575c7")
    long = hmac_sha256(b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First")
    assert long.hex().startswith("60e431591ee0b67f0d8a26aacbf5b77f")


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[HookServer]:
    with HookServer() as server:
        (tmp_path / "url").write_text(server.url("/hook"))
        yield server


async def sent(hook: HookServer, folder: Path, secret: str | None) -> Taken:
    if secret is not None:
        (folder / "secret").write_text(secret)
    config = HttpReceiver(str(folder / "url"), str(folder / "secret") if secret is not None else None)
    receiver = CloudEvents(config, connect, SystemClock())
    try:
        await receiver.deliver(Teller().say(drifted()))
    finally:
        await receiver.close()
    return hook.taken[-1]


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("plain words", b"plain words"),
        ("x" * 100 + "\n", b"x" * 100),
        ("whsec_" + base64.b64encode(b"\0\1\2 key").decode(), b"\0\1\2 key"),
    ],
)
async def test_the_signature(hook: HookServer, tmp_path: Path, secret: str, key: bytes) -> None:
    taken = await sent(hook, tmp_path, secret)
    identifier, timestamp = taken.headers["webhook-id"], taken.headers["webhook-timestamp"]
    expected = hmac_sha256(key, identifier.encode() + b"." + timestamp.encode() + b"." + taken.body)
    version, _, signature = taken.headers["webhook-signature"].partition(",")
    assert version == "v1"
    assert base64.b64decode(signature) == expected
    assert abs(int(timestamp) - SystemClock().now().timestamp()) < 60, "so that an old one can be turned away"
    assert identifier == json.loads(taken.body)["id"]


async def test_without_a_secret_there_is_no_signature(hook: HookServer, tmp_path: Path) -> None:
    assert not any(name.startswith("webhook-") for name in (await sent(hook, tmp_path, None)).headers)


async def test_a_secret_that_is_no_base64_is_not_told(hook: HookServer, tmp_path: Path) -> None:
    with pytest.raises(Undelivered) as caught:
        await sent(hook, tmp_path, "whsec_hunter2!")
    assert "hunter2" not in str(caught.value)
    assert hook.taken == []


async def test_it_is_a_cloud_event_in_structured_mode(hook: HookServer, tmp_path: Path) -> None:
    taken = await sent(hook, tmp_path, None)
    assert taken.headers["content-type"] == "application/cloudevents+json"
    body = json.loads(taken.body)
    assert body["specversion"] == "1.0"
    for attribute in ("id", "source", "type"):
        assert body[attribute]
        assert isinstance(body[attribute], str)
    for name in body.keys() - {"data"}:
        assert name.isascii()
        assert name.isalnum()
        assert name == name.lower()
        assert len(name) <= 20
    assert datetime.fromisoformat(body["time"]).tzinfo is not None
    assert body["datacontenttype"] == "application/json"


def test_what_it_says() -> None:
    teller = Teller()
    began = cloud_event(teller.say(drifted()))
    over = cloud_event(teller.say(healed(60)))
    assert (began["type"], began["source"], began["subject"]) == (
        "dev.reconciler.alert.drift",
        "/reconciler/test/shop",
        "Deployment/shop/web",
    )
    (first,), (second,) = began["data"]["incidents"], over["data"]["incidents"]
    assert first == {
        "id": first["id"],
        "state": "began",
        "severity": "warning",
        "object": {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"},
        "since": at(0).isoformat(),
        "times": 1,
        "message": "drift",
        "fields": [
            {"path": "spec.replicas", "wanted": "3", "found": "5"},
            {"path": "metadata.labels[tier]", "wanted": "front", "found": "nothing"},
        ],
        "by": ["kubectl-edit at 10:02:58"],
        "wanted": "apps/web.yaml:12",
        "commit": "1a2b3c4d5e6f Ann Bee: Run three of them",
    }
    assert (second["id"], second["state"], second["outcome"]) == (first["id"], "ended", "healed")
    assert (second["since"], second["ended"]) == (at(0).isoformat(), at(60).isoformat())
    assert began["id"] != over["id"]


def test_many_are_one_event_with_all_of_them() -> None:
    body = cloud_event(Teller(most=CloudEvents.most).say(*(drifted(0, config_map(n)) for n in range(200))))
    assert len(body["data"]["incidents"]) == 200
    assert "subject" not in body
    assert len(json.dumps(body)) < 256 * 1024


def test_the_daemon_itself_has_a_source_too() -> None:
    body = cloud_event(Teller(install="").say(event(EventType.NOT_READY, source="")))
    assert body["source"] == "/reconciler"
