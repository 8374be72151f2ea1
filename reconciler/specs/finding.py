"""What is wrong at a place in one document, before its line is known."""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.problem import Severity
from reconciler.specs.place import Path

JSON = Any

MOST: Final = 100  # findings of one sort in one document that are told: more helps nobody, and costs


@dataclass(frozen=True, slots=True)
class Finding:
    """`path` leads to the value that is wrong, or with `key` to the name that is; the rest is as in a Problem."""

    code: str
    path: Path
    message: str
    hint: str = ""
    key: bool = False
    severity: Severity = Severity.ERROR


def dotted(path: Path) -> str:
    """A path as people write it: `spec.ports[0].name`, `metadata.annotations[reconciler.dev/prune]`."""
    text = ""
    for step in path:
        if isinstance(step, int) or "." in step or "/" in step:
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def shown(value: JSON) -> str:
    """A value in a sentence: short values as JSON, long ones cut, collections by what they are."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return cut(json.dumps(value, ensure_ascii=False), 60)


def cut(text: str, length: int) -> str:
    """`text`, not longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint, "" where nothing is close."""
    known = list(known)
    lower = {name.lower(): name for name in known}
    close = [lower[word.lower()]] if word.lower() in lower else difflib.get_close_matches(word, known, 1)
    return f"did you mean {close[0]}?" if close and close[0] != word else ""
