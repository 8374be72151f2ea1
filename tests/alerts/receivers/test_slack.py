"""What Slack is sent."""

import json
from pathlib import Path

import pytest
from alert_events import WEB, drifted, event, healed
from alert_messages import Teller
from hook_server import HookServer

from reconciler.alerts.receivers.slack import Slack, escaped, payload
from reconciler.clock import SystemClock
from reconciler.daemon.alerting import connect
from reconciler.model.alerting import SlackReceiver
from reconciler.model.event import EventType


def test_a_message() -> None:
    assert payload(Teller().say(drifted())) == {
        "text": "shop: Deployment/shop/web drifted",
        "attachments": [
            {
                "color": "warning",
                "fallback": "shop: Deployment/shop/web drifted",
                "text": "spec.replicas: 3 → 5\nmetadata.labels[tier]: front → nothing\nby kubectl-edit at 10:02:58\n"
                "Git: apps/web.yaml:12 (1a2b3c4d5e6f Ann Bee: Run three of them)\nsince 10:03:05 UTC",
            }
        ],
    }


@pytest.mark.parametrize(
    ("events", "color"),
    [
        ([event(EventType.DEGRADED, identity=WEB)], "danger"),
        ([drifted()], "warning"),
        ([drifted(), healed()], "good"),
    ],
)
def test_the_bar_says_how_urgent_it_is(events: list[object], color: str) -> None:
    (bar,) = payload(Teller().say(*events))["attachments"]
    assert bar["color"] == color


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<!channel> <https://evil.example.com|click>", "&lt;!channel&gt; &lt;https://evil.example.com|click&gt;"),
        ("@channel @Here @all ann@example.com", "@\u200bchannel @\u200bHere @\u200ball ann@example.com"),
    ],
)
def test_what_somebody_wrote_into_an_object_calls_nobody(text: str, sent: str) -> None:
    assert escaped(text) == sent
    message = Teller().say(event(EventType.HELD, identity=WEB, message=text))
    assert sent in payload(message)["attachments"][0]["text"]


async def test_it_arrives(tmp_path: Path) -> None:
    with HookServer() as hook:
        (tmp_path / "url").write_text(hook.url("/services/x"))
        slack = Slack(SlackReceiver(str(tmp_path / "url")), connect, SystemClock())
        message = Teller().say(drifted())
        await slack.deliver(message)
        await slack.close()
        assert [(each.path, json.loads(each.body)) for each in hook.taken] == [("/services/x", payload(message))]
