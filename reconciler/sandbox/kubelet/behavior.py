"""What a container has been told to do, by its pod's annotations or its image's tag. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

BEHAVIOR: Final = "sandbox.reconciler.dev/behavior"
DURATION: Final = "sandbox.reconciler.dev/duration"
EXIT_CODE: Final = "sandbox.reconciler.dev/exit-code"

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


class Behavior(Enum):
    """The words that annotations and image tags may use."""

    RUN = "run"
    CRASH = "crash"
    FAIL = "fail"
    OOM = "oom"
    IMAGE_PULL = "image-pull"
    NEVER_READY = "never-ready"
    PENDING = "pending"


_BY_TAG: Final = {behavior.value: behavior for behavior in Behavior} | {"broken": Behavior.IMAGE_PULL}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in seconds.

    `start` is from a pod's binding to its first container running and between init containers, `ready` how long a
    readiness probe takes at least, `stop` how long a container takes to end when asked, `job` how long a container
    of a pod that ends runs. Restarts wait `backoff`, doubled each time up to `longest_backoff`, as a real kubelet's.
    """

    start: float = 0.4
    ready: float = 0.6
    stop: float = 0.3
    job: float = 1.0
    backoff: float = 10.0
    longest_backoff: float = 300.0

    def pause(self, restarts: int) -> float:
        """How long a container that has ended `restarts` + 1 times waits: the first restart is at once."""
        return min(self.longest_backoff, self.backoff * 2.0 ** min(restarts - 1, 20)) if restarts else 0.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What one container will do. `lasts` is in seconds, None for ever."""

    behavior: Behavior
    lasts: float | None
    exit_code: int
    reason: str = "Completed"


def orders(pod: Mapping[str, Any], container: Mapping[str, Any], *, main: bool, timing: Timing) -> Orders:
    """The orders of one `container` of `pod`; `main` is False for init containers and sidecars.

    Annotations speak to main containers only. An annotation that cannot be understood is as if absent.
    """
    annotations = pod["metadata"].get("annotations") or {} if main else {}
    behavior = _BY_TAG.get(annotations.get(BEHAVIOR, "")) or _BY_TAG.get(tag(container.get("image") or ""))
    behavior = behavior or Behavior.RUN
    lasts = duration(annotations.get(DURATION, ""))
    ends = (pod["spec"].get("restartPolicy") or "Always") != "Always"
    sidecar = container.get("restartPolicy") == "Always"
    code = annotations.get(EXIT_CODE, "")
    exit_code = int(code) if code.isdigit() else 0
    match behavior:
        case Behavior.CRASH:
            return Orders(behavior, 0.1, exit_code or 1, "Error")
        case Behavior.FAIL:
            return Orders(behavior, timing.job if lasts is None else lasts, exit_code or 1, "Error")
        case Behavior.OOM:
            return Orders(behavior, timing.job if lasts is None else lasts, 137, "OOMKilled")
    if lasts is None and not sidecar and (ends or not main):
        lasts = timing.job if main else timing.start
    return Orders(behavior, lasts, exit_code, "Error" if exit_code else "Completed")


def tag(image: str) -> str:
    """The tag of an image reference, "" when it has none."""
    name = image.partition("@")[0].rsplit("/", 1)[-1]
    return name.partition(":")[2]


def duration(text: str) -> float | None:
    """Seconds of `3s`, `500ms` or `1m30s`; None when it is none of these."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
