"""What is logged beside the events of sources: a line in the same form."""

import json
import logging

from reconciler.daemon.log import LogLine

SAID = logging.makeLogRecord(
    {"msg": "%s keeps its replicas", "args": ("Deployment/shop/web",), "created": 1767225600.0}
)


def test_for_people_it_begins_with_the_time() -> None:
    assert LogLine("text").format(SAID) == "2026-01-01T00:00:00Z Deployment/shop/web keeps its replicas"


def test_for_machines_it_is_json() -> None:
    line = json.loads(LogLine("json").format(SAID))
    assert line == {
        "time": "2026-01-01T00:00:00+00:00",
        "type": "log",
        "message": "Deployment/shop/web keeps its replicas",
    }
