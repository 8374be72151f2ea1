"""One changed field as lines for people."""

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from reconciler.model.change import ABSENT, FieldChange

INLINE: Final = 80  # characters of a value that still stands on its field's own line
_LARGE: Final = 20_000  # characters of JSON above which the fine comparison takes too long
_MANY: Final = 12  # parts of one value that are still worth a line each

_BARE = re.compile(r"[A-Za-z0-9/_][A-Za-z0-9/_.:@+-]*")
_UNBARE = re.compile(r"[\d.:+_-]+(e\d+)?|true|false|yes|no|on|off|null|y|n", re.IGNORECASE)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class Line(NamedTuple):
    """One line: `sign` is "+", "-", "~" (both), "=" (stays) or " " (context, a heading)."""

    sign: str
    text: str


def visible(text: str) -> str:
    """`text` with its control and direction characters written out: nothing in a cluster may drive a terminal."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def lines(field: FieldChange) -> Iterator[Line]:
    """A field as `path: before → after`; long texts as a unified diff, large new or removed parts as YAML."""
    note = f"  ({visible(field.note)})" if field.note else ""
    path = visible(field.path)
    if _same(field.before, field.after):
        yield Line("=", f"{path}: {_value(field.before)}{note}" if field.note else f"{path}: {_value(field.before)}")
        return
    if field.before is ABSENT or field.after is ABSENT:
        yield from _one_sided(path, field, note)
        return
    parts = list(_parts(field.before, field.after))
    if isinstance(field.before, str) and isinstance(field.after, str) and _long(field.before, field.after):
        yield Line("~", f"{path}:{note}")
        yield from _unified(field.before, field.after)
    elif len(parts) == 1 and parts[0][0] == "" and not _inline(field.before, field.after):
        yield Line("~", f"{path}:{note}")
        yield from _unified(_block(field.before), _block(field.after))
    else:
        for below, before, after in parts:
            if before is ABSENT:
                yield Line("+", f"{path}{below}: {_value(after)}{note}")
            elif after is ABSENT:
                yield Line("-", f"{path}{below}: {_value(before)}{note}")
            else:
                yield Line("~", f"{path}{below}: {_value(before)} → {_value(after)}{note}")


def _one_sided(path: str, field: FieldChange, note: str) -> Iterator[Line]:
    sign, value = ("+", field.after) if field.before is ABSENT else ("-", field.before)
    if _inline(value):
        yield Line(sign, f"{path}: {_value(value)}{note}")
    else:
        yield Line(sign, f"{path}:{note}")
        yield from (Line(sign, f"  {visible(line)}") for line in _block(value).splitlines())


def _parts(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """What differs inside two values that are compared as a whole: (path below, before, after).

    One part with the path "" where the values are scalars, too large, or different nearly everywhere.
    """
    whole = [("", before, after)]
    if not isinstance(before, dict | list) or type(before) is not type(after):
        return whole
    if len(json.dumps(before)) + len(json.dumps(after)) > _LARGE:
        return whole
    from deepdiff import DeepDiff  # it takes a while to load, and most plans have no such value

    found = []
    for level in DeepDiff(before, after, view="tree", verbose_level=2).values():
        for part in level:
            below = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in part.path(output_format="list"))
            sides = [ABSENT if _missing(side) else side for side in (part.t1, part.t2)]
            found.append((below, *sides))
    if not 0 < len(found) <= _MANY or not all(_inline(b) and _inline(a) for _, b, a in found):
        return whole
    return sorted(found, key=lambda part: part[0])


def _missing(side: Any) -> bool:
    return type(side).__name__ == "NotPresent" or repr(side) == "not present"


def _same(before: Any, after: Any) -> bool:
    return type(before) is type(after) and before == after


def _long(*texts: str) -> bool:
    return any(len(text) > INLINE or "\n" in text for text in texts)


def _inline(*values: Any) -> bool:
    return all(value is ABSENT or len(_value(value)) <= INLINE for value in values)


def _value(value: Any) -> str:
    """On one line, as YAML would have it: quotes only where they are needed."""
    if isinstance(value, str) and (_BARE.fullmatch(value) and not _UNBARE.fullmatch(value)):
        return value
    if isinstance(value, str) and value.startswith("(") and value.endswith(")"):
        return visible(value)  # a mark in place of a secret's value
    return visible(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _block(value: Any) -> str:
    if isinstance(value, str):
        return value
    import yaml

    return str(yaml.safe_dump(value, allow_unicode=True, width=10_000))


def _unified(before: str, after: str) -> Iterator[Line]:
    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for number, line in enumerate(compared):
        if number >= 2:  # the two lines of file names say nothing here
            yield Line(line[0] if line[0] in "+-" else " ", f"  {visible(line[1:] if line[0] != '@' else line)}")
