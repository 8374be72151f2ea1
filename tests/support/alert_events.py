"""Events for the tests of alerts: a shop in which things go wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState, Wanted
from reconciler.model.event import Event, EventType
from reconciler.model.manifest import DriftMode
from reconciler.model.snapshot import Revision

START = datetime(2026, 3, 1, 10, 3, 5, tzinfo=UTC)
WEB = Identity("apps", "Deployment", "shop", "web")
REVISION = Revision(
    "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", "main", "Ann Bee <ann@example.com>", START, "Run three of them"
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(kind: EventType, seconds: float = 0, **more: Any) -> Event:
    """One of the source "shop", `seconds` after the start of the story."""
    return Event(kind, at(seconds), **{"source": "shop", "message": f"said {kind}", **more})


def drift(
    identity: Identity = WEB,
    *,
    mode: DriftMode = DriftMode.ALERT,
    seconds: float = 0,
    kind: DriftKind = DriftKind.EDITED,
    reason: str = "",
) -> Drift:
    """Somebody made five of three replicas, and took a label away."""
    by = (Author("kubectl-edit", "Update", at(-7)),)
    return Drift(
        "shop",
        identity,
        kind,
        at(seconds),
        mode,
        DriftState.FOUND,
        fields=(
            DriftedField("spec.replicas", 3, 5, by),
            DriftedField("metadata.labels[tier]", "front", ABSENT, ()),
        ),
        reason=reason,
        wanted=(Wanted("apps/web.yaml", 12, REVISION),),
    )


def drifted(seconds: float = 0, identity: Identity = WEB, **more: Any) -> Event:
    found = drift(identity, seconds=seconds, **more)
    return event(EventType.DRIFTED, seconds, identity=identity, drift=found, message="drift")


def healed(seconds: float = 1, identity: Identity = WEB) -> Event:
    return event(EventType.HEALED, seconds, identity=identity, message="as Git states it again")


def config_map(number: int) -> Identity:
    return Identity("", "ConfigMap", "shop", f"c{number}")
