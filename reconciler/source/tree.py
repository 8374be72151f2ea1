"""From the names in a tree to a Snapshot: layers, limits, and what is left out.

Layers: a file belongs to the configured path that contains it; of several the most specific; of two spellings of one
path the later. So every file is one Entry with one layer. Files outside all paths, and ignored ones, have layer -1:
a spec may still mount them.

Left out and named: symbolic links (they may lead anywhere), submodules (another repository's), files above
`limits.blob_bytes`, names that are not UTF-8 or that a terminal or a line of text could not hold. Ignored files are
named too.

A tree of more than `limits.files` files, or with more than `limits.total_bytes` under the paths, is refused whole:
half of it would look like a deletion of the other half.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from reconciler.errors import SourceTooLarge
from reconciler.model.config import GitLimits
from reconciler.model.snapshot import Entry, Revision, Skipped, SkipReason, Snapshot
from reconciler.source.ignore import IGNORE_FILE, MAX_BYTES, MAX_FILES, IgnoreRules

OUTSIDE: Final = -1
_MAX_NAME: Final = 255  # bytes: what file systems allow for a part of a path
_MAX_PATH: Final = 1024


class Mode:
    """The modes that Git gives to names."""

    FILE: Final = "100644"
    EXECUTABLE: Final = "100755"
    SYMLINK: Final = "120000"
    SUBMODULE: Final = "160000"


class Name(NamedTuple):
    """A name in a tree, as Git lists it."""

    mode: str
    id: str
    size: int  # bytes; 0 for a submodule
    path: bytes


def build(
    source: str,
    revision: Revision,
    paths: tuple[str, ...],
    names: Iterable[Name],
    limits: GitLimits,
    read: Callable[[Sequence[str]], Mapping[str, bytes]],
) -> Snapshot:
    """The Snapshot of the files `names`. `paths` are normal (`address.normal_path`); `read` gives blobs by id.

    Raises SourceTooLarge, and SourceRefused for an ignore file that cannot be used.
    """
    skipped: list[Skipped] = []
    files: list[tuple[str, Name]] = []
    seen: set[int] = set()  # layers that exist: a path may hold nothing but names that are left out
    layers = _Layers(paths)
    for name in names:
        path = name.path.decode("utf-8", "backslashreplace")
        left_out = _left_out(path, name, limits)
        if left_out is None:
            files.append((path, name))
        else:
            skipped.append(left_out)
        if left_out is None or left_out.reason is not SkipReason.UNSAFE_NAME:
            seen |= layers.holding(path)
        if len(files) > limits.files:
            raise SourceTooLarge(
                f"the repository has more than {limits.files:,} files", hint="raise limits.files of the source"
            )
    rules = IgnoreRules(_ignore_files(files, read))
    entries: list[Entry] = []
    total = 0
    for path, name in files:
        layer = layers.of(path)
        if layer != OUTSIDE and (by := rules.ignored_by(path)):
            skipped.append(Skipped(path, SkipReason.IGNORED, by))
            layer = OUTSIDE
        if layer != OUTSIDE:
            total += name.size
        entries.append(Entry(path, name.id, name.size, layer, name.mode == Mode.EXECUTABLE))
    if total > limits.total_bytes:
        raise SourceTooLarge(
            f"the files under the configured paths have {total:,} bytes, more than {limits.total_bytes:,}",
            hint="narrow the paths or raise limits.totalBytes of the source",
        )
    entries.sort(key=lambda entry: (entry.layer == OUTSIDE, entry.layer, entry.path))
    skipped.sort(key=lambda one: one.path)
    missing = tuple(path for index, path in enumerate(paths) if index not in seen)
    return Snapshot(source, revision, paths, tuple(entries), tuple(skipped), missing)


def _left_out(path: str, name: Name, limits: GitLimits) -> Skipped | None:
    parts = name.path.split(b"/")
    if len(path) > _MAX_PATH or any(part in (b"", b".", b"..") or len(part) > _MAX_NAME for part in parts):
        return Skipped(_printable(path), SkipReason.UNSAFE_NAME)
    if not name.path.isascii() and not _is_utf8(name.path):
        return Skipped(path, SkipReason.NOT_UTF8)
    if not path.isprintable():
        return Skipped(_printable(path), SkipReason.UNSAFE_NAME)
    if name.mode == Mode.SYMLINK:
        return Skipped(path, SkipReason.SYMLINK)
    if name.mode == Mode.SUBMODULE:
        return Skipped(path, SkipReason.SUBMODULE, name.id[:12])
    if name.size > MAX_BYTES and path.rpartition("/")[2] == IGNORE_FILE:
        raise SourceTooLarge(f"the file has more than {MAX_BYTES:,} bytes", where=path)
    if name.size > limits.blob_bytes:
        return Skipped(path, SkipReason.TOO_LARGE, f"{name.size:,} bytes, more than {limits.blob_bytes:,}")
    return None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _printable(path: str) -> str:
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in path)
    return shown if len(shown) <= _MAX_PATH else shown[:_MAX_PATH] + "…"


def _ignore_files(
    files: Iterable[tuple[str, Name]], read: Callable[[Sequence[str]], Mapping[str, bytes]]
) -> dict[str, bytes]:
    found = {path: name for path, name in files if path.rpartition("/")[2] == IGNORE_FILE}
    if not found:
        return {}
    if len(found) > MAX_FILES:
        raise SourceTooLarge(f"the repository has more than {MAX_FILES} files {IGNORE_FILE}")
    contents = read(sorted({name.id for name in found.values()}))
    return {path: contents[name.id] for path, name in found.items()}


class _Layers:
    """Which configured path a file belongs to. Answers are kept per directory: files of one share them."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._stated: dict[str, frozenset[int]] = {}
        for index, path in enumerate(paths):
            place = "" if path == "." else path
            self._stated[place] = self._stated.get(place, frozenset()) | {index}
        self._known: dict[str, tuple[int, frozenset[int]]] = {}

    def of(self, path: str) -> int:
        """The index of the most specific path that contains `path`, OUTSIDE if none does."""
        return self._find(path)[0]

    def holding(self, path: str) -> frozenset[int]:
        """The indexes of all paths that contain `path`."""
        return self._find(path)[1]

    def _find(self, path: str) -> tuple[int, frozenset[int]]:
        above = self._inside(path.rpartition("/")[0])
        return self._at(path, above)  # a configured path may be a file

    def _inside(self, directory: str) -> tuple[int, frozenset[int]]:
        found = self._known.get(directory)
        if found is None:
            above = self._inside(directory.rpartition("/")[0]) if directory else (OUTSIDE, frozenset[int]())
            found = self._known[directory] = self._at(directory, above)
        return found

    def _at(self, place: str, above: tuple[int, frozenset[int]]) -> tuple[int, frozenset[int]]:
        here = self._stated.get(place)
        return (max(here), above[1] | here) if here else above
