"""Cluster addresses and node ports for Services: the lowest free one, so that runs repeat."""

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

    def take(self) -> str:
        while self._next in self._taken:
            self._next += 1
        if self._next >= _ADDRESSES:
            raise Exhausted
        self._taken.add(self._next)
        return str(IPv4Address(_FIRST + self._next))

    def claim(self, address: str) -> bool:
        """Take this one; False where it is taken or not of the range."""
        try:
            offset = int(IPv4Address(address)) - _FIRST
        except ValueError:
            return False
        if not 0 <= offset < _ADDRESSES or offset in self._taken:
            return False
        self._taken.add(offset)
        return True

    def contains(self, address: str) -> bool:
        try:
            return 0 <= int(IPv4Address(address)) - _FIRST < _ADDRESSES
        except ValueError:
            return False

    def release(self, address: str) -> None:
        try:
            offset = int(IPv4Address(address)) - _FIRST
        except ValueError:
            return
        self._taken.discard(offset)
        self._next = max(1, min(self._next, offset))


class Ports:
    """Node ports 30000–32767."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self) -> int:
        for port in _PORTS:
            if port not in self._taken:
                self._taken.add(port)
                return port
        raise Exhausted

    def claim(self, port: int) -> bool:
        if port not in _PORTS or port in self._taken:
            return False
        self._taken.add(port)
        return True

    def contains(self, port: int) -> bool:
        return port in _PORTS

    def release(self, port: int) -> None:
        self._taken.discard(port)
