"""What is logged beside the events of sources: a line in the same form."""

import io
import json
import logging
import sys
from datetime import UTC, datetime

from reconciler.daemon.log import LogLine, log_to_stderr
from reconciler.kube.names import Identity
from reconciler.model.event import Event, EventType

SAID = logging.makeLogRecord(
    {"msg": "%s keeps its replicas", "args": ("Deployment/shop/web",), "created": 1767225600.0}
)


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_for_people_it_begins_with_the_time() -> None:
    assert LogLine("text").format(SAID) == "2026-01-01T00:00:00Z Deployment/shop/web keeps its replicas"


def test_for_machines_it_is_json() -> None:
    line = json.loads(LogLine("json").format(SAID))
    assert line == {
        "time": "2026-01-01T00:00:00+00:00",
        "type": "log",
        "message": "Deployment/shop/web keeps its replicas",
    }


EVIL = "a.yaml\n2026-01-01T00:00:00Z all is well\x1b[2J\u202e"
SHOWN = "a.yaml\\n2026-01-01T00:00:00Z all is well\\u001b[2J\\u202e"


def test_no_name_begins_a_line_or_drives_a_terminal() -> None:
    try:
        raise ValueError(EVIL)
    except ValueError:
        fault = logging.LogRecord("x", logging.ERROR, "", 0, "%s cannot be read", (EVIL,), sys.exc_info())
    first, *lines = LogLine("text").format(fault).split("\n")
    assert first.endswith(f"Z {SHOWN} cannot be read")
    assert "Traceback" in lines[0]
    assert all(line.isprintable() for line in lines)
    event = Event(EventType.SYNC_FAILED, NOW, "shop", EVIL, Identity("", "ConfigMap", "shop", EVIL))
    out = io.StringIO()
    log_to_stderr("text", out)(event)
    assert out.getvalue() == f"2026-01-01T00:00:00Z shop {EventType.SYNC_FAILED} ConfigMap/shop/{SHOWN}: {SHOWN}\n"
