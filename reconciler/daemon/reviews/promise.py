"""What a review announces, as it is kept until the merge was applied: in memory, and in the comment's mark."""

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from reconciler.model.deed import Deed

MOST: Final = 1_000  # objects
_PACKED: Final = 8_000  # characters in a comment
_LARGEST: Final = 1_000_000  # bytes when unpacked: people can edit a comment


class Promise(NamedTuple):
    """`merged` is what the merge does, `anyway` what happens without it, too; `more` counts what is not kept."""

    merged: tuple[Deed, ...] = ()
    anyway: tuple[Deed, ...] = ()
    more: int = 0

    def cut(self, most: int) -> "Promise":
        """With no more than `most` objects: what happens anyway goes first."""
        merged = self.merged[:most]
        anyway = self.anyway[: most - len(merged)]
        lost = len(self.merged) + len(self.anyway) - len(merged) - len(anyway)
        return Promise(merged, anyway, self.more + lost) if lost else self

    def packed(self, room: int = _PACKED) -> str:
        """In letters that mean nothing to a forge; as much as has room, and no more than `_PACKED`. Values go first."""
        kept, most = self, min(MOST, len(self.merged) + len(self.anyway))
        if len(_pack(kept)) > min(room, _PACKED):
            kept = self._replace(merged=_bare(self.merged), anyway=_bare(self.anyway))
        bare = kept
        while len(text := _pack(kept)) > min(room, _PACKED) and most:
            most //= 2
            kept = bare.cut(most)
        return text


def promise(merged: Iterable[Deed], anyway: Iterable[Deed] = ()) -> Promise:
    """No larger than is kept."""
    return Promise(tuple(merged), tuple(anyway)).cut(MOST)


def unpacked(text: str) -> Promise | None:
    """What `packed` made; None where somebody else did."""
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _LARGEST)
        return msgspec.json.decode(data, type=Promise)
    except (ValueError, binascii.Error, zlib.error, RecursionError):
        return None


def _bare(deeds: Iterable[Deed]) -> tuple[Deed, ...]:
    return tuple(deed._replace(values=()) for deed in deeds)


def _pack(kept: Promise) -> str:
    return base64.b64encode(zlib.compress(msgspec.json.encode(kept), 9)).decode()
