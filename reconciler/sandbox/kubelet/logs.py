"""The log lines that a simulated container would have written. Pure: computed from the pod alone."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.kube.times import parse

HEARTBEAT: Final = 10.0  # seconds between two lines of a running container
_LONGEST: Final = 1000  # lines


def log_lines(
    pod: Mapping[str, Any], container: str, now: datetime, *, previous: bool = False
) -> list[tuple[datetime, str]]:
    """Time and text of each line of `container` (init containers too), of its `previous` run where asked.

    KeyError when the pod has no such container. A container that has not started has written nothing.
    """
    status = pod.get("status") or {}
    named = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    image = {entry["name"]: entry.get("image") or "" for entry in named}[container]
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    found: Mapping[str, Any] = next((entry for entry in entries if entry["name"] == container), {})
    state = found.get("lastState" if previous else "state") or {}
    run = state.get("running") or state.get("terminated")
    if not run and not previous:
        run = (found.get("lastState") or {}).get("terminated")  # between two runs the last one's are shown
    if not run or not run.get("startedAt"):
        return []
    started = parse(run["startedAt"])
    ended = parse(run["finishedAt"]) if run.get("finishedAt") else None
    lines = [(started, f"{container}: started, image {image}")]
    until = ended or now
    beats = int((until - started).total_seconds() // HEARTBEAT)
    lines += [
        (started + timedelta(seconds=beat * HEARTBEAT), f"{container}: alive")
        for beat in range(max(1, beats - _LONGEST), beats + 1)
    ]
    if ended is not None:
        code, reason = run.get("exitCode", 0), run.get("reason") or ""
        if reason == "OOMKilled":
            lines.append((ended, f"{container}: killed, out of memory"))
        elif code:
            lines.append((ended, f"{container}: fatal: exiting with {code}"))
        else:
            lines.append((ended, f"{container}: done"))
    return lines
