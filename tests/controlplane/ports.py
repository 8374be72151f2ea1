"""Ports of loopback for servers that are told theirs before they run."""

import socket
from typing import Final

HOST: Final = "127.0.0.1"
_KEPT: Final[list[socket.socket]] = []


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, all different, and that nobody else is given while this process lives.

    A socket stays bound to each and never listens: to connect is refused. A server that sets SO_REUSEADDR, as they do,
    may listen there, one life after the other.
    """
    made = [socket.socket() for _ in range(number)]
    for each in made:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((HOST, 0))
    _KEPT.extend(made)
    return [each.getsockname()[1] for each in made]
