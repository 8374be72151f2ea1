"""What else is in doubt while a file cannot be read: documents of other layers that it may patch, or that may patch it.

A base without its overlay is not what production is meant to get, and an overlay without its base is no whole document.
Both are left as they are in the cluster until the file can be read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.kube.names import Identity
from reconciler.specs.candidate import Candidate

_SEPARATOR: Final = re.compile(r"^---.*$", re.MULTILINE)
_KIND: Final = re.compile(r"^kind:[ \t]*[\"']?(\w+)", re.MULTILINE)
_NAME: Final = re.compile(
    r"^metadata:[ \t]*(?:\{[^}]*?\bname|(?:\r?\n[ \t]+[^\n]*)*?\r?\n[ \t]+name):[ \t]*[\"']?([-\w.]+)", re.MULTILINE
)


def in_doubt(
    text: str | None, layer: int, candidates: Mapping[Identity, Sequence[Candidate]], read: frozenset[Identity]
) -> Iterator[Identity]:
    """Identities of other layers that a broken file of `layer` may concern; `read` are those that were read from it.

    Where its text still tells kinds and names, those; else everything that this layer could patch or be patched by.
    """
    guesses = _guesses(text) if text is not None else None
    for identity, group in candidates.items():
        layers = {candidate.layer for candidate in group}
        if identity in read or layers <= {layer}:
            continue
        if guesses is None:
            if min(layers) != layer:
                yield identity
        elif (identity.kind, identity.name) in guesses:
            yield identity


def _guesses(text: str) -> set[tuple[str, str]] | None:
    """Kinds and names as the text seems to state them; None where it does not for one of its documents."""
    found = set()
    for document in _SEPARATOR.split(text):
        if not any(line.strip() and not line.lstrip().startswith("#") for line in document.splitlines()):
            continue
        kind, name = _KIND.search(document), _NAME.search(document)
        if kind is None or name is None or kind[1].endswith("List"):
            return None
        found.add((kind[1], name[1]))
    return found
