"""Quantities as Kubernetes writes them: `250m`, `1.5`, `64Mi`, `2e3`.

The grammar is a signed decimal number and one of a binary suffix (Ki … Ei), a decimal suffix (n u m, none, k … E) or
a decimal exponent (e3, E3).
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

_NUMBER: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE][+-]?\d{1,3})", re.ASCII)
_BINARY: Final = {suffix: 1024**power for power, suffix in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))}
_DECIMAL: Final = {
    suffix: 3 * power for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}
_SUFFIX: Final = {power: suffix for suffix, power in _DECIMAL.items()}
_SMALLEST: Final = Fraction(1, 10**9)


def parse(value: str | float) -> Fraction:
    """The exact value; below a nano it is rounded away from zero, as the API server does. ValueError if malformed."""
    if isinstance(value, bool):
        raise ValueError(f"not a quantity: {value!r}")
    return _read(str(value))[0]


def equal(a: str | float, b: str | float) -> bool:
    """Whether two spellings mean the same amount: `1000m` and `1`. Text that is no quantity equals only itself."""
    if a == b and not isinstance(a, bool) and not isinstance(b, bool):
        return True
    try:
        return parse(a) == parse(b)
    except ValueError:
        return False


def canonical(value: str | float) -> str:
    """The spelling that the API server serves: the largest suffix that leaves no fraction, in the suffix's own family.

    `1000m` → `1`, `1.5Gi` → `1536Mi`, `1e3` stays `1e3`. ValueError where malformed.
    """
    if isinstance(value, bool):
        raise ValueError(f"not a quantity: {value!r}")
    return _canonical(str(value))


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[Fraction, str]:
    """The value and the family of its suffix: "binary", "decimal" or "exponent"."""
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"not a quantity: {text!r}")
    sign, whole, part, suffix = match[1], match[2], match[3] or "", match[4]
    number = Fraction(int((whole + part) or "0"), 10 ** len(part))
    if suffix in _BINARY and suffix:
        number, family = number * _BINARY[suffix], "binary"
    elif suffix in _DECIMAL:
        number, family = number * Fraction(10) ** _DECIMAL[suffix], "decimal"
    else:
        number, family = number * Fraction(10) ** int(suffix[1:]), "exponent"
    nanos = number / _SMALLEST
    if nanos.denominator != 1:
        number = -(-nanos.numerator // nanos.denominator) * _SMALLEST
    return (-number if sign == "-" else number), family


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    number, family = _read(text)
    if family == "binary" and number.denominator == 1 and not -1024 < number < 1024:
        whole, power = int(number), 0
        while whole % 1024 == 0 and power < len(_BINARY) - 1:
            whole, power = whole // 1024, power + 1
        return f"{whole}{list(_BINARY)[power]}"
    if number == 0:
        return "0"
    scaled, power = number / _SMALLEST, -9
    while scaled % 1000 == 0 and power < 18:
        scaled, power = scaled / 1000, power + 3
    if family == "exponent":
        return f"{scaled}e{power}" if power else f"{scaled}"
    return f"{scaled}{_SUFFIX[power]}"
