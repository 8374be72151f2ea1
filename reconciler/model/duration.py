"""Lengths of time as people write them: "90s", "10m", "1h30m", and short ones: "80ms", "1s500ms"."""

import re
from typing import Final

_PARTS: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SECONDS: Final = (86_400, 3_600, 60, 1)
_SHORT: Final = re.compile(r"(.*?)([0-9]+)ms", re.DOTALL)


def seconds(text: str) -> int:
    """`text` in seconds. Units d, h, m and s, each at most once and in that order. Raises ValueError."""
    match = _PARTS.fullmatch(text)
    if not text or match is None or not text.isascii():
        raise ValueError(f'"{text}" is not a duration such as 90s, 10m or 1h30m')
    return sum(int(amount) * unit for amount, unit in zip(match.groups(), _SECONDS, strict=True) if amount)


def exact_seconds(text: str) -> float:
    """As `seconds`, and "ms" may come last. Raises ValueError."""
    match = _SHORT.fullmatch(text)
    if match is None:
        return float(seconds(text))
    whole, milliseconds = match.groups()
    return (seconds(whole) if whole else 0) + int(milliseconds) / 1000
