"""What a registry asks for when it answers 401: the header WWW-Authenticate (RFC 9110, section 11.6.1)."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_SCHEME: Final = re.compile(rf"[\s,]*({_WORD})(?=\s|,|$)(?!\s*=)")
_PARAMETER: Final = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_ESCAPED: Final = re.compile(r"\\(.)")
_LONGEST: Final = 4096


class Challenge(NamedTuple):
    """`scheme` and the names of `parameters` are lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse(header: str) -> tuple[Challenge, ...]:
    """The challenges of a header, as far as it can be read: what follows the first mistake is left out."""
    found: list[Challenge] = []
    position, text = 0, header[:_LONGEST]
    while match := _SCHEME.match(text, position):
        position = match.end()
        parameters: dict[str, str] = {}
        while pair := _PARAMETER.match(text, position):
            quoted, plain = pair[2], pair[3]
            parameters.setdefault(pair[1].lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
            position = pair.end()
        found.append(Challenge(match[1].lower(), parameters))
    return tuple(found)
