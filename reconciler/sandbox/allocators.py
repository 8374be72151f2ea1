"""Cluster addresses and node ports for Services: the lowest free one, so that runs repeat.

What is free is asked before an object is checked; it is claimed when the object is stored.
"""

from collections.abc import Container
from ipaddress import IPv4Address
from typing import Final

_FIRST: Final = int(IPv4Address("10.96.0.1"))
_ADDRESSES: Final = 2**20 - 2
_PORTS: Final = range(30000, 32768)


class Exhausted(Exception):
    """Nothing is left to give out."""


class Addresses:
    """10.96.0.0/12, as kubeadm sets it up. 10.96.0.1 is the server's own."""

    def __init__(self) -> None:
        self._taken: set[int] = {0}
        self._next = 1

    def free(self) -> str:
        """The lowest. Raises Exhausted."""
        while self._next in self._taken:
            self._next += 1
        if self._next >= _ADDRESSES:
            raise Exhausted
        return str(IPv4Address(_FIRST + self._next))

    def is_free(self, address: str) -> bool:
        return self.contains(address) and _offset(address) not in self._taken

    def contains(self, address: str) -> bool:
        """Whether an address is of the range."""
        return 0 <= _offset(address) < _ADDRESSES

    def claim(self, address: str) -> None:
        self._taken.add(_offset(address))

    def release(self, address: str) -> None:
        offset = _offset(address)
        self._taken.discard(offset)
        if offset > 0:
            self._next = min(self._next, offset)


def _offset(address: str) -> int:
    try:
        return int(IPv4Address(address)) - _FIRST
    except ValueError:
        return -1


class Ports:
    """Node ports 30000–32767."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def free(self, besides: Container[int]) -> int:
        """The lowest that is not among `besides`. Raises Exhausted."""
        for port in _PORTS:
            if port not in self._taken and port not in besides:
                return port
        raise Exhausted

    def is_free(self, port: int) -> bool:
        return self.contains(port) and port not in self._taken

    def contains(self, port: int) -> bool:
        return port in _PORTS

    def claim(self, port: int) -> None:
        self._taken.add(port)

    def release(self, port: int) -> None:
        self._taken.discard(port)
