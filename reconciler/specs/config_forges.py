"""What a schema cannot say about the forges and webhooks of a configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.specs.finding import Finding, shown

JSON = Any


def beyond(config: Mapping[str, JSON]) -> Iterator[Finding]:
    """Everything that is wrong with `forges` and `webhooks`, which their schema accepts."""
    for part in ("webhooks", "forges"):
        names: dict[str, int] = {}
        for at, one in enumerate(config.get(part, ())):
            first = names.setdefault(one["name"], at)
            if first != at:
                message = f"{shown(one['name'])} is the name of {part}[{first}] already"
                yield Finding("described-twice", (part, at, "name"), message, f"names of {part} are unique")
    reviewed: dict[tuple[str, str], int] = {}
    for at, forge in enumerate(config.get("forges", ())):
        for each, name in enumerate(forge["repositories"]):
            first = reviewed.setdefault((forge["url"].rstrip("/").lower(), name.lower()), at)
            if first != at or name in forge["repositories"][:each]:
                message = f"{shown(name)} is reviewed by forges[{first}] already"
                yield Finding("described-twice", ("forges", at, "repositories", each), message)
