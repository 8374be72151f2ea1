"""What else is in doubt while a file cannot be read: documents of other layers that it may patch, or that may patch it.

A base without its overlay is not what production is meant to get, and an overlay without its base is no whole document.
Both are left as they are in the cluster until the file can be read.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.problem import Location, Problem, Severity
from reconciler.specs.candidate import Candidate
from reconciler.specs.ledger import Ledger

_SEPARATOR: Final = re.compile(r"^---.*$", re.MULTILINE)
_KIND: Final = re.compile(r"^kind:[ \t]*[\"']?(\w+)", re.MULTILINE)
_NAME: Final = re.compile(
    r"^metadata:[ \t]*(?:\{[^}]*?\bname|(?:\r?\n[ \t]+[^\n]*)*?\r?\n[ \t]+name):[ \t]*[\"']?([-\w.]+)", re.MULTILINE
)


def hold_what_is_in_doubt(
    groups: Mapping[Identity, Sequence[Candidate]], mounted: Collection[str], ledger: Ledger
) -> None:
    """Say what is wrong with unreadable files, and take out of use what they leave in doubt.

    A file that a workload mounts, and in which no document was found, is a configuration file and no spec at all.
    """
    read: dict[str, set[Identity]] = defaultdict(set)
    for identity, group in groups.items() if ledger.unread else ():
        for candidate in group:
            read[candidate.path].add(identity)
    for path in sorted(ledger.unread):
        unread = ledger.unread[path]
        if path in mounted and path not in read:
            del ledger.unread[path]
            continue
        ledger.problems += unread.problems
        if unread.layer is None:
            continue
        held = sorted(set(_in_doubt(unread.text, unread.layer, groups, read[path])) - ledger.broken)
        if held:
            ledger.broken.update(held)
            names = ", ".join(str(identity) for identity in held[:3]) + (", …" if len(held) > 3 else "")
            message = f"until this file can be read, what it may be merged with is left as it is: {names}"
            ledger.problems.append(Problem(Severity.ERROR, "held", Location(path), message))


def _in_doubt(
    text: str | None, layer: int, candidates: Mapping[Identity, Sequence[Candidate]], read: Collection[Identity]
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
