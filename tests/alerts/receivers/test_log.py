"""Messages in the daemon's own log."""

import io
import json

from alert_events import drifted, event
from alert_messages import Teller
from virtual import virtual

from reconciler.alerts.receivers.log import Log
from reconciler.daemon.log import messages_to_stderr
from reconciler.model.event import EventType


@virtual
async def test_a_line_for_people() -> None:
    out = io.StringIO()
    log = Log(messages_to_stderr("text", out))
    await log.deliver(Teller().say(drifted()))
    await log.deliver(Teller().say(event(EventType.NOT_READY, source="", message="")))
    first, second = out.getvalue().splitlines()
    assert first == (
        "2026-03-01T10:03:15Z alert: shop: Deployment/shop/web drifted; spec.replicas: 3 → 5; "
        "metadata.labels[tier]: front → nothing; by kubectl-edit at 10:02:58; "
        "Git: apps/web.yaml:12 (1a2b3c4d5e6f Ann Bee: Run three of them); since 10:03:05 UTC"
    )
    assert second == "2026-03-01T10:03:15Z alert: reconciler: the daemon cannot start; since 10:03:05 UTC"


@virtual
async def test_a_line_for_machines() -> None:
    out = io.StringIO()
    await Log(messages_to_stderr("json", out)).deliver(Teller().say(drifted()))
    (line,) = out.getvalue().splitlines()
    said = json.loads(line)
    assert {name: said[name] for name in ("source", "type", "topic", "message")} == {
        "source": "shop",
        "type": "alert",
        "topic": "drift",
        "message": "shop: Deployment/shop/web drifted",
    }
    assert said["text"].splitlines()[0] == "spec.replicas: 3 → 5"
