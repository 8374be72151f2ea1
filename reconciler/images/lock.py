"""`images.lock.yaml`: which digest each Image has, as it was reviewed. Pure.

    images:
      Image/shop/redis:
        repository: docker.io/library/redis
        tag: "7.2.4"
        digest: sha256:…

What stands here is what runs, whatever a scan finds. It applies as long as it fits the Image: the same repository, and
a tag that the Image still allows (for a build, the hash of its inputs).

People edit the file too, so a change touches only what it changes: comments, order, quotes and line ends stay.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import yaml

from reconciler.errors import ImageError, ImageRefused
from reconciler.images.reference import Reference, Repository, is_digest, is_tag
from reconciler.kube.names import Identity

MAX_BYTES: Final = 4 * 1024 * 1024
HEADER: Final = "# Which digest each Image has. Commits of reconciler keep it; what stands here is what runs.\n"
_FIELDS: Final = ("repository", "tag", "digest")
_KEY: Final = re.compile(r"Image/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_PLAIN: Final = re.compile(r"[a-z][A-Za-z0-9_./:@-]*[A-Za-z0-9_]")
_BOM: Final = b"\xef\xbb\xbf"
_WORDS: Final = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


@dataclass(frozen=True, slots=True)
class Locked:
    """One entry. `tag` is "" where only the digest is stated."""

    repository: str
    tag: str
    digest: str

    def fits(self, repository: Repository) -> bool:
        """Whether it speaks of that repository."""
        return self.repository == str(repository)

    @property
    def reference(self) -> Reference:
        return Repository.parse(self.repository).at(tag=self.tag, digest=self.digest)


Locks = Mapping[str, Locked]
"""Entries by key, `Image/namespace/name`."""


def key_of(identity: Identity) -> str:
    """The key of an Image."""
    return f"Image/{identity.namespace}/{identity.name}"


def parse(content: bytes, where: str) -> Locks:
    """The entries of the file at `where`. Raises ImageRefused with file:line."""
    text = _text(content, where)
    images = _images(text, where)
    if images is None or not isinstance(images, yaml.MappingNode):
        return {}
    found: dict[str, Locked] = {}
    for key, value in images.value:
        name = _scalar_of(key, where)
        if not _KEY.fullmatch(name):
            raise _refused(f"{name[:100]!r} is not a key: write Image/namespace/name", key, where)
        if name in found:
            raise _refused(f"{name} is there twice", key, where)
        found[name] = _entry(name, key, value, where)
    return found


def changed(content: bytes, changes: Mapping[str, Locked | None], where: str) -> bytes:
    """The file with the entries `changes` set, or (where None) removed, and nothing else changed.

    Raises ImageRefused where the file cannot be read, or is written in a way that cannot be changed in place.
    """
    expected = dict(parse(content, where))
    for key, locked in changes.items():
        if locked is None:
            expected.pop(key, None)
        else:
            expected[key] = locked
    text = _Editor(_text(content, where), where).change(changes)
    result = (_BOM if content.startswith(_BOM) else b"") + text.encode()
    try:
        held = dict(parse(result, where)) == expected
    except ImageError:
        held = False
    if not held:
        raise ImageRefused(
            "the lock file cannot be changed in place",
            where=where,
            hint="write it as the documentation shows: one entry below the other, one field a line",
        )
    return result


def _text(content: bytes, where: str) -> str:
    if len(content) > MAX_BYTES:
        raise ImageRefused(f"the file has more than {MAX_BYTES:,} bytes", where=where)
    try:
        return content.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise ImageRefused("the file is not UTF-8", where=where) from None


def _images(text: str, where: str) -> yaml.Node | None:
    """The node of `images`, None where the file has none."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.CSafeLoader)):
            raise ImageRefused("the file holds an alias", where=where, hint="write the value itself")
        root = yaml.compose(text, yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ImageRefused("the file is not YAML", where=f"{where}{line}", why=error.problem or "") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ImageRefused("the file is not YAML", where=where, why=type(error).__name__) from None
    if root is None:
        return None
    found: yaml.Node | None = None
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if _scalar_of(key, where) != "images" or found is not None:
            raise _refused("only images may stand at the top, once", key, where)
        found = value
    if found is None or not (isinstance(found, yaml.MappingNode) or _is_empty(found)):
        raise _refused("images is not a mapping of entries", found or root, where)
    return found


def _entry(name: str, key: yaml.Node, value: yaml.Node, where: str) -> Locked:
    if not isinstance(value, yaml.MappingNode):
        raise _refused(f"the entry of {name} is not a mapping", key, where)
    fields: dict[str, str] = {}
    for field, stated in value.value:
        word = _scalar_of(field, where)
        if word not in _FIELDS or word in fields:
            raise _refused(f"{word[:100]!r} is not a field, or is there twice: {', '.join(_FIELDS)}", field, where)
        fields[word] = _scalar_of(stated, where)
    tag, digest = fields.get("tag", ""), fields.get("digest", "")
    try:
        repository = str(Repository.parse(fields.get("repository", "")))
    except ImageRefused as error:
        raise _refused(f"the repository of {name}: {error.why}", key, where) from None
    if (tag and not is_tag(tag)) or not is_digest(digest):
        raise _refused(f"the tag or digest of {name} is none", key, where)
    return Locked(repository, tag, digest)


def _scalar_of(node: yaml.Node, where: str) -> str:
    """The text of a scalar, whatever type YAML would make of it: a tag 7.2 is no number here."""
    if not isinstance(node, yaml.ScalarNode):
        raise _refused("this is not a plain value", node, where)
    return str(node.value)


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _refused(what: str, node: yaml.Node, where: str) -> ImageRefused:
    return ImageRefused(what, where=f"{where}:{node.start_mark.line + 1}")


class _Edit(NamedTuple):
    """A part of the text and what comes in its place."""

    start: int
    end: int
    new: str


class _Editor:
    """Changes to a text that was parsed."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._images = _images(text, where)

    def change(self, changes: Mapping[str, Locked | None]) -> str:
        """The text with entries set or removed."""
        images = self._images
        pairs = images.value if isinstance(images, yaml.MappingNode) else []
        known = {key.value: (key, value) for key, value in pairs}
        edits: list[_Edit] = []
        new: dict[str, Locked] = {}
        for key in sorted(changes):
            locked = changes[key]
            if key not in known:
                if locked is not None:
                    new[key] = locked
            elif locked is not None:
                edits += self._replace(known[key][1], locked)
            elif isinstance(images, yaml.MappingNode) and not images.flow_style:
                start = known[key][0].start_mark.index - known[key][0].start_mark.column
                edits.append(_Edit(start, self._line_end(_end(known[key][1])), ""))
        if new:
            edits += self._add(pairs, new)
        text = self._text
        edits.sort(key=lambda edit: (edit.start, edit.end))
        for edit in reversed(edits):  # of several in one place the last one first
            text = text[: edit.start] + edit.new + text[edit.end :]
        return text

    def _replace(self, entry: yaml.MappingNode, locked: Locked) -> list[_Edit]:
        """The entry with other values; a field that it lacks comes after its last one."""
        wanted = {"repository": locked.repository, "tag": locked.tag, "digest": locked.digest}
        edits: list[_Edit] = []
        for field, value in entry.value:
            new = wanted.pop(field.value)
            if new != value.value:
                edits.append(_Edit(value.start_mark.index, value.end_mark.index, _scalar(new, value.style)))
        missing = {field: value for field, value in wanted.items() if value}
        if missing and entry.value:
            last, column = entry.value[-1][1], entry.value[0][0].start_mark.column
            separator = ", " if entry.flow_style else self._newline + " " * column
            added = "".join(f"{separator}{field}: {_scalar(value)}" for field, value in missing.items())
            edits.append(_Edit(last.end_mark.index, last.end_mark.index, added))
        return edits

    def _add(self, pairs: list[tuple[yaml.Node, yaml.Node]], new: Mapping[str, Locked]) -> list[_Edit]:
        """Entries that were not there, where they belong if the others are sorted, else at the end."""
        text, images = self._text, self._images
        if images is None:
            head = "" if text.strip() else HEADER
            gap = "" if not text or text.endswith("\n") else self._newline
            return [_Edit(len(text), len(text), f"{gap}{head}images:{self._newline}{self._blocks(new, 2, 4)}")]
        if not pairs:  # `{}`, `null` or nothing at all
            start, end = images.start_mark.index, images.end_mark.index
            begin = len(text[:start].rstrip(" "))
            return [_Edit(begin, end, f"{self._newline}{self._blocks(new, 2, 4).removesuffix(self._newline)}")]
        if isinstance(images, yaml.MappingNode) and images.flow_style:
            place = pairs[-1][1].end_mark.index
            return [_Edit(place, place, "".join(f", {_flow(key, locked)}" for key, locked in new.items()))]
        keys = [str(key.value) for key, _value in pairs]
        is_sorted = keys == sorted(keys)
        column, inner = pairs[0][0].start_mark.column, pairs[0][1]
        fields = inner.value if isinstance(inner, yaml.MappingNode) and not inner.flow_style else []
        depth = fields[0][0].start_mark.column if fields else column + 2
        places: dict[int, dict[str, Locked]] = {}
        for key, locked in new.items():
            before = bisect_left(keys, key) if is_sorted else len(keys)
            first = pairs[0][0].start_mark.index - column
            place = self._line_end(_end(pairs[before - 1][1])) if before else first
            places.setdefault(place, {})[key] = locked
        gaps = {place: "" if not place or text[place - 1] == "\n" else self._newline for place in places}
        return [_Edit(p, p, gaps[p] + self._blocks(entries, column, depth)) for p, entries in places.items()]

    def _blocks(self, entries: Mapping[str, Locked], column: int, inner: int) -> str:
        lines: list[str] = []
        for key, locked in entries.items():
            lines.append(f"{' ' * column}{key}:")
            lines += [f"{' ' * inner}{field}: {_scalar(value)}" for field, value in _stated(locked)]
        return "".join(line + self._newline for line in lines)

    def _line_end(self, index: int) -> int:
        """Behind the line that holds `index`."""
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found + 1


def _end(node: yaml.Node) -> int:
    """Behind the last character of a node's own text: a block's end mark is past comments that follow it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    return int(node.end_mark.index)


def _stated(locked: Locked) -> list[tuple[str, str]]:
    tag = [("tag", locked.tag)] if locked.tag else []
    return [("repository", locked.repository), *tag, ("digest", locked.digest)]


def _flow(key: str, locked: Locked) -> str:
    fields = ", ".join(f"{field}: {json.dumps(value)}" for field, value in _stated(locked))
    return f"{json.dumps(key)}: {{{fields}}}"


def _scalar(value: str, style: str | None = None) -> str:
    """A scalar for `value`, in the quotes of `style` where it had some, and in quotes where YAML would misread it."""
    if style == "'":
        return f"'{value}'"
    plain = not style and _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else json.dumps(value)
