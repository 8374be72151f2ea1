"""One changed field as lines for people."""

import difflib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from reconciler.model.change import ABSENT, FieldChange
from reconciler.redact import CHANGED, REDACTED

INLINE: Final = 80  # characters of a value that still stands on its field's own line
_LARGE: Final = 20_000  # characters of JSON above which the fine comparison takes too long
_FINE: Final = 4_000_000  # pairs of lines that are compared with each other, in some 0.1 s
_AROUND: Final = 2  # lines that stay, around those that do not
_MANY: Final = 12  # parts of one value that are still worth a line each

_BARE = re.compile(r"[A-Za-z0-9/_][A-Za-z0-9/_.:@+-]*")
_UNBARE = re.compile(r"[\d.:+_-]+(e\d+)?|true|false|yes|no|on|off|null|y|n", re.IGNORECASE)
_PLACE = re.compile(r"(?<=[-+])\d+")
_UNSEEN = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff"
    "\U000e0000-\U000e007f]"
)


class Line(NamedTuple):
    """One line: `sign` is "+", "-", "~" (both), "=" (stays) or " " (context).

    A value that fits on the line in both its states is in `became`, after the `text`; a `note` comes last.
    """

    sign: str
    text: str
    became: tuple[str, str] | None = None
    note: str = ""


def visible(text: str) -> str:
    """`text` on one line, its control and direction characters written out: nothing in Git or a cluster may drive a
    terminal, or begin a line of its own."""
    return _UNSEEN.sub(lambda match: "\\n" if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def lines(field: FieldChange) -> Iterator[Line]:
    """A field as `path: before → after`; long texts as a unified diff, large new or removed parts as YAML."""
    note = f"  ({visible(field.note)})" if field.note else ""
    path = visible(field.path)  # a key can be any text
    before, after = field.before, field.after
    if before is ABSENT or after is ABSENT:
        yield from _one_sided(path, "+" if before is ABSENT else "-", after if before is ABSENT else before, note)
    elif type(before) is type(after) and before == after:
        yield Line("=", f"{path}: {_value(before)}", note=note)
    elif isinstance(before, dict | list) and (parts := _parts(before, after)):
        for below, was, now in parts:
            yield from lines(FieldChange(path + below, was, now, field.note))
    elif _inline(before, after):
        yield Line("~", f"{path}: ", (_value(before), _value(after)), note)
    else:
        yield Line("~", f"{path}:", note=note)
        yield from _unified(_block(before), _block(after))


def _one_sided(path: str, sign: str, value: Any, note: str) -> Iterator[Line]:
    if _inline(value):
        yield Line(sign, f"{path}: {_value(value)}", note=note)
    else:
        yield Line(sign, f"{path}:", note=note)
        yield from (Line(sign, f"  {visible(line)}") for line in _block(value).splitlines())


def _parts(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """What differs inside two containers that are compared as a whole: (path below, before, after).

    Empty where they are too large to look into, or so different that one line a difference would hide the picture.
    """
    if type(before) is not type(after) or len(json.dumps(before)) + len(json.dumps(after)) > _LARGE:
        return []
    from deepdiff import DeepDiff  # it takes a while to load, and most plans have no such value

    found: list[tuple[str, Any, Any]] = []
    for category, level in DeepDiff(before, after, view="tree", verbose_level=2).items():
        for part in level:
            below = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in part.path(output_format="list"))
            was = ABSENT if category.endswith("_added") else part.t1
            now = ABSENT if category.endswith("_removed") else part.t2
            found.append((below, was, now))
    fits = len(found) <= _MANY and all(below and _inline(was, now) for below, was, now in found)
    return sorted(found, key=lambda part: part[0]) if fits else []


def _inline(*values: Any) -> bool:
    return all(
        value is ABSENT or (len(_value(value)) <= INLINE and not (isinstance(value, str) and "\n" in value))
        for value in values
    )


def _value(value: Any) -> str:
    """On one line, as YAML would have it: quotes only where they are needed."""
    if isinstance(value, str) and (_BARE.fullmatch(value) and not _UNBARE.fullmatch(value)):
        return value
    if value in (REDACTED, CHANGED):
        return str(value)
    return visible(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _block(value: Any) -> str:
    if isinstance(value, str):
        return value
    import yaml

    return str(yaml.safe_dump(value, allow_unicode=True, width=10_000))


def _unified(before: str, after: str) -> Iterator[Line]:
    """Without what is alike at both ends, but for a few lines. Where the rest would take too long to compare, as that
    grows with its square, all of it goes and comes."""
    was, now = before.splitlines(), after.splitlines()
    start = _alike(was, now)
    end = min(_alike(was[::-1], now[::-1]), len(was) - start, len(now) - start)
    skipped, below = max(0, start - _AROUND), max(0, end - _AROUND)
    if (len(was) - start - end) * (len(now) - start - end) > _FINE:
        parts = (" ", was[skipped:start]), ("-", was[start : len(was) - end]), ("+", now[start : len(now) - end])
        for sign, shown in (*parts, (" ", was[len(was) - end : len(was) - below])):
            yield from (Line(sign, f"  {visible(line)}") for line in shown)
        return
    compared = difflib.unified_diff(
        was[skipped : len(was) - below], now[skipped : len(now) - below], lineterm="", n=_AROUND
    )
    for line in itertools.islice(compared, 2, None):  # the two lines of file names say nothing here
        if line[0] == "@":
            yield Line(" ", f"  {_PLACE.sub(lambda found: str(int(found[0]) + skipped), line)}")
        else:
            yield Line(line[0] if line[0] in "+-" else " ", f"  {visible(line[1:])}")


def _alike(was: list[str], now: list[str]) -> int:
    """How many lines two texts have in common from their beginning on."""
    pairs = enumerate(zip(was, now, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(was), len(now)))
