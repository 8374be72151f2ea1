"""Events of Kubernetes, beside the objects that they are about: `kubectl get events` shows them.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final, Protocol

from reconciler.alerts.batch import Batch, Phase
from reconciler.alerts.message import Composer, Message
from reconciler.alerts.receivers.receiver import UNLIMITED
from reconciler.errors import AlreadyExists, ApiError, NotFound, ReconcilerError, Refused, Undelivered
from reconciler.kube.names import Identity

EACH: Final = 20  # incidents of one message that get an Event of their own; the others share one
_NOTE: Final = 1024  # bytes, by Kubernetes' own validation
_NAME: Final = 200
_UNFIT: Final = re.compile(r"[^a-z0-9.-]+")
_REASONS: Final[Mapping[Phase, str]] = {
    Phase.BEGAN: "",
    Phase.LASTS: "Lasts",
    Phase.ENDED: "Ended",
    Phase.PASSED: "Passed",
}


class EventPoster(Protocol):
    """Writes Events. Every call raises ReconcilerError."""

    def reference(self, identity: Identity) -> Mapping[str, str]:
        """What an ObjectReference says of an object beside its kind, namespace and name: apiVersion, uid."""
        ...

    def about(self, source: str) -> Identity:
        """The object to which belongs what is about no object: one of the daemon's own."""
        ...

    async def post(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Create `event`, of events.k8s.io/v1."""
        ...


class KubernetesEvents:
    """An Event for each incident, named after it: one that is posted twice is there once."""

    refresh = None
    most = UNLIMITED

    def __init__(self, poster: EventPoster, composer: Composer, *, instance: str) -> None:
        self._poster = poster
        self._composer = composer
        self._instance = instance

    async def deliver(self, message: Message) -> None:
        """Tell it."""
        batch = message.batch
        own = batch.items if len(batch.items) <= EACH and not batch.more else batch.items[: EACH - 1]
        parts = [Batch(batch.group, (item,)) for item in own]
        if len(own) < len(batch.items) or batch.more:
            parts.append(Batch(batch.group, batch.items[len(own) :], batch.more))
        refusals = []
        for part in parts:
            try:
                await self._post(self._composer.compose(part, message.install, message.time))
            except Refused as refused:
                refusals.append(refused)
        if len(refusals) == len(parts):
            raise refusals[0]

    async def close(self) -> None:
        """The poster is not ours."""

    async def _post(self, message: Message) -> None:
        try:
            event = self._event(message)
            await self._poster.post(event["metadata"]["namespace"], event)
        except (AlreadyExists, NotFound):
            return  # it was posted before; or its namespace is gone, and with it whoever would look there
        except ApiError as error:
            if error.status in (401, 429) or error.status >= 500:
                raise Undelivered(error.what, retry_after=error.retry_after) from None
            raise Refused(error.what, hint=error.hint) from None
        except ReconcilerError as error:
            raise Undelivered(error.what, why=error.why) from None

    def _event(self, message: Message) -> dict[str, Any]:
        batch = message.batch
        single = batch.items[0] if len(batch.items) == 1 and not batch.more else None
        identity = single.incident.key.identity if single else None
        about = identity or self._poster.about(batch.group.source)
        name = f"{single.incident.id}.{single.phase}" if single else message.id
        phase = batch.items[0].phase if batch.items else Phase.BEGAN
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{_UNFIT.sub('-', about.name.lower())[:_NAME].strip('.-')}.{name}",
                # One about an object of the whole cluster lies in the namespace default.
                "namespace": about.namespace or "default",
            },
            "eventTime": message.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "reconciler.dev/reconciler",
            "reportingInstance": self._instance[:128],
            "action": "Reconcile",
            "reason": f"{batch.group.topic.value.capitalize()}{_REASONS[phase]}",
            "type": "Warning" if message.open else "Normal",
            "note": _cut(f"{message.title}\n{message.text}".rstrip("\n")),
            "regarding": {
                "kind": about.kind,
                "name": about.name,
                **({"namespace": about.namespace} if about.namespace else {}),
                **self._poster.reference(about),
            },
        }


def _cut(note: str) -> str:
    encoded = note.encode()
    return note if len(encoded) <= _NOTE else encoded[: _NOTE - 3].decode(errors="ignore") + "…"
