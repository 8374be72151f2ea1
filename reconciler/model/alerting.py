"""Who is told what, and how: the part of the daemon's configuration about alerts. schemas/config.json rules."""

from enum import StrEnum
from typing import Final

import msgspec

from reconciler.model.event import Topic

PLACEHOLDERS_TITLE: Final = frozenset({"where", "what", "install", "source", "topic", "severity", "count"})
PLACEHOLDERS_INCIDENT: Final = frozenset(
    {
        "where", "install", "source", "topic", "severity", "id", "object", "kind", "namespace", "name", "what", "state",
        "message", "fields", "brief", "by", "wanted", "commit", "git", "when", "since", "lasted", "times", "hint",
    }
)  # fmt: skip


class Urgency(StrEnum):
    """How much something matters, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class _Config(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class SlackReceiver(_Config, frozen=True):
    """An incoming webhook of Slack, or of what understands the same: Mattermost, Rocket.Chat."""

    url_file: str
    ca_file: str | None = None


class HttpReceiver(_Config, frozen=True):
    """Anything that takes CloudEvents."""

    url_file: str
    secret_file: str | None = None
    token_file: str | None = None
    ca_file: str | None = None


class AlertmanagerReceiver(_Config, frozen=True):
    url: str
    token_file: str | None = None
    ca_file: str | None = None


class KubernetesReceiver(_Config, frozen=True):
    pass


class LogReceiver(_Config, frozen=True):
    pass


class MessageConfig(_Config, frozen=True):
    """Templates; None is the default of reconciler.alerts.message."""

    title: str | None = None
    incident: str | None = None
    line: str | None = None


class ReceiverConfig(_Config, frozen=True):
    """Exactly one of the five kinds is stated."""

    name: str
    slack: SlackReceiver | None = None
    http: HttpReceiver | None = None
    alertmanager: AlertmanagerReceiver | None = None
    kubernetes: KubernetesReceiver | None = None
    log: LogReceiver | None = None
    message: MessageConfig | None = None


class Route(_Config, frozen=True):
    """Which incidents go where. What is not stated matches everything. Globs know `*`, `?` and `[…]`."""

    receivers: tuple[str, ...]
    sources: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()
    severity: Urgency = Urgency.INFO  # the least
    objects: tuple[str, ...] = ()  # Kind/namespace/name, or Kind/name
    continue_: bool = msgspec.field(default=False, name="continue")


class AlertsConfig(_Config, frozen=True):
    """Times are in seconds. Without routes every receiver is told everything."""

    receivers: tuple[ReceiverConfig, ...] = ()
    routes: tuple[Route, ...] = ()
    group_wait: float = 10.0
    group_interval: float = 60.0
    reminder: float = 86_400.0  # 0: none
