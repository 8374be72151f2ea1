"""What a schema cannot say of `placement.shares`."""

from collections.abc import Iterator
from typing import Any, Final

from reconciler.model.shares import WHOLE, apportioned, part_name, percentages
from reconciler.specs.finding import Finding, shown
from reconciler.specs.place import Path

JSON = Any

_PATH: Final[Path] = ("spec", "placement", "shares")
_NAME: Final = 63


def sharing(name: str, spec: JSON, kind: str) -> Iterator[Finding]:
    """For a document `name` that its schema accepts."""
    placement = spec.get("placement") or {}
    if not (stated := placement.get("shares")):
        return
    if kind != "Deployment":
        message = f"a {kind} runs in one place: shares are for a Deployment"
        yield Finding("bad-value", _PATH, message, "state pool, or leave its place to the planner", key=True)
        return
    if "pool" in placement:
        message = "pool and shares are both stated"
        yield Finding("bad-value", _PATH, message, "state one: a pool for all pods, or shares over pools", key=True)
    for pool in stated:
        if len(made := part_name(name, pool)) > _NAME:
            message = f"the Deployment {shown(made)} would have a name of {len(made)} characters, at most {_NAME} fit"
            yield Finding("bad-name", (*_PATH, pool), message, "shorten the document's name or the pool's", key=True)
    shares = percentages(stated)
    if (total := sum(shares.values())) != WHOLE:
        yield Finding("bad-value", _PATH, f"the shares add up to {total}%, not to {WHOLE}%", key=True)
    elif "target" in (scale := spec.get("scale") or {}):
        none = [pool for pool, count in apportioned(scale["max"], shares).items() if not count]
        if none:
            message = f"of {scale['max']} pods none would be in {' and '.join(none)}, and an autoscaler there needs one"
            yield Finding("bad-value", ("spec", "scale", "max"), message, "state more, or other shares")
