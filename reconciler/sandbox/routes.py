"""What a path asks for: `/apis/apps/v1/namespaces/shop/deployments/web/scale` and its like."""

from typing import NamedTuple
from urllib.parse import unquote


class Route(NamedTuple):
    """Parts that a path does not name are "". Only paths below a group's version are resources."""

    group: str
    version: str
    namespace: str
    plural: str
    name: str = ""
    subresource: str = ""


def parse(path: str) -> Route | None:
    """The resource that a path names; None for any other path. `path` is percent-encoded."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and (group or rest[2] not in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3 and rest[2] != "proxy":
        return None
    plural, name, subresource = (*rest[:3], "", "")[:3]
    return Route(group, version, namespace, plural, name, subresource)
