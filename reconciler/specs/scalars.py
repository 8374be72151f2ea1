"""What a plain YAML scalar means.

YAML 1.1 as kubectl reads it, with JSON values only: dates and base-60 numbers are text. A word whose meaning depends on
who reads it (`no`, `0777`, `12:30:00`) is marked, so that a warning can be given where a text is wanted.
"""

import math
import re
from typing import Final

Scalar = str | int | float | bool | None

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_NUMERIC_STARTS: Final = frozenset("0123456789+-.")
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OCTAL: Final = re.compile(r"([-+]?)0o?([0-7_]+)")
_BINARY: Final = re.compile(r"([-+]?)0b([01_]+)")
_HEXADECIMAL: Final = re.compile(r"([-+]?)0x([0-9a-fA-F_]+)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DUBIOUS_WORDS: Final = frozenset(("yes", "Yes", "YES", "on", "On", "ON", "no", "No", "NO", "off", "Off", "OFF"))


class NotJson(ValueError):
    """The scalar is a number that JSON cannot hold: infinity or not-a-number."""


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Raises NotJson for `.inf` and `.nan`."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC_STARTS:
        return text
    if _DECIMAL.fullmatch(text):
        return _integer(text, text, 10)
    for pattern, base in ((_OCTAL, 8), (_BINARY, 2), (_HEXADECIMAL, 16)):
        if match := pattern.fullmatch(text):
            return _integer(text, match[1] + match[2], base)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _SPECIAL.fullmatch(text):
        raise NotJson(text)
    return text


def dubious(text: str) -> bool:
    """Whether readers of YAML disagree about the plain scalar `text`: some take it for a text, some do not."""
    if text in _DUBIOUS_WORDS:
        return True
    if not text or text[0] not in _NUMERIC_STARTS or _SPECIAL.fullmatch(text):
        return False
    if _BASE_60.fullmatch(text):
        return True
    value = resolve(text)
    return not isinstance(value, str) and str(value) != text


def dubious_key(text: str) -> bool:
    """Whether readers of YAML disagree about `text` as a plain key: here it is a text, to others what it means.

    kubectl makes the text of the meaning: `on` becomes "true", `0777` becomes "511".
    """
    try:
        meaning = resolve(text)
    except NotJson:
        return True
    if isinstance(meaning, bool):
        return text not in ("true", "false")
    return dubious(text)


def _integer(text: str, digits: str, base: int) -> int | str:
    plain = digits.replace("_", "")
    if not plain.lstrip("+-") or len(plain) > 70:
        return text
    value = int(plain, base)
    # beyond 64 bits no API takes it as a number
    return value if -(2**63) <= value < 2**64 else text


def _float(text: str) -> float | str:
    if len(text) > 400 or (text[0] == "0" and len(text) > 1 and text[1] in "0123456789_"):
        return text  # 09 and 007.5 are texts to everybody but a guess
    value = float(text.replace("_", "")) if text.strip("+-._") else math.nan
    return value if math.isfinite(value) else text
