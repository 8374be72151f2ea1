"""Times as Kubernetes writes them."""

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """`2026-01-01T00:00:00Z`: a metav1.Time has whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(moment: datetime) -> str:
    """`2026-01-01T00:00:00.000000Z`: a metav1.MicroTime."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """The moment of a Time or MicroTime."""
    return datetime.fromisoformat(text).astimezone(UTC)


def seconds_since(text: str | None, now: datetime) -> float:
    """Seconds from `text` to `now`; 0 when `text` is absent."""
    return (now - parse(text)).total_seconds() if text else 0.0
