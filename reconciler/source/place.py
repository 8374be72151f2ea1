"""Where a repository is, however its address is written: to find out whether two addresses mean the same one."""

import re
from typing import Final
from urllib.parse import unquote, urlsplit

_SCP: Final = re.compile(r"(?:[^@:/\s]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/\s\[\]]+):(?P<path>(?!//)\S.*)")
_LONGEST: Final = 2048


def place_of(url: str) -> str:
    """`host/path` of an address, or the path of a local one; "" for what is no address.

    https, ssh and user@host:path of the same repository have the same place: users, ports, the end `.git` and
    case make no difference. Two repositories at two ports of a host would be mixed up; who asks must not mind.
    """
    if len(url) > _LONGEST or not url.isprintable():
        return ""
    if "://" in url:
        try:
            parts = urlsplit(url)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            return ""
        if not host and parts.scheme != "file":
            return ""
    elif url.startswith("/"):
        host, path = "", url
    elif match := _SCP.fullmatch(url):
        host, path = match["host"].strip("[]"), match["path"]
    else:
        return ""
    steps = [step for step in unquote(path).split("/") if step]
    if not steps or ".." in steps:
        return ""
    tail = "/".join(steps).removesuffix(".git")
    return f"{host.rstrip('.')}/{tail}".casefold() if tail else ""
