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
_NAME: Final = re.compile(r"[\s{,]name:[ \t]*[\"']?([-\w.]+)")


def hold_what_is_in_doubt(
    groups: Mapping[Identity, Sequence[Candidate]], mounted: Collection[str], ledger: Ledger
) -> None:
    """Say what is wrong with unreadable files, and take out of use what they leave in doubt.

    A file that a workload mounts, and in which no document was found, is a configuration file and no spec at all.
    """
    if not ledger.unread:
        return
    read: dict[str, set[Identity]] = defaultdict(set)
    layers = set()
    for identity, group in groups.items():
        for candidate in group:
            read[candidate.path].add(identity)
            layers.add(candidate.layer)
    for path in sorted(ledger.unread):
        unread = ledger.unread[path]
        if path in mounted and path not in read:
            del ledger.unread[path]
            continue
        ledger.problems += unread.problems
        if unread.layer is None or layers <= {unread.layer}:
            continue
        text = str(ledger.teller.text(unread.file)) if unread.file is not None else ""
        held = sorted(set(_in_doubt(text, unread.layer, groups, read[path])) - ledger.broken)
        if held:
            ledger.broken.update(held)
            names = ", ".join(str(identity) for identity in held[:3]) + (", …" if len(held) > 3 else "")
            message = f"until this file can be read, what it may be merged with is left as it is: {names}"
            ledger.problems.append(Problem(Severity.ERROR, "held", Location(path), message))


def _in_doubt(
    text: str, layer: int, candidates: Mapping[Identity, Sequence[Candidate]], read: Collection[Identity]
) -> Iterator[Identity]:
    """Identities of other layers that a broken file of `layer` may concern; `read` are those that were read from it.

    Where its text still tells kinds and names, those; else everything that this layer could patch or be patched by.
    """
    guesses = _guesses(text)
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
        lines = [line for line in document.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if not lines:
            continue
        kind, name = _KIND.search(document), _NAME.search(_metadata(lines))
        if kind is None or name is None or kind[1].endswith("List"):
            return None
        found.add((kind[1], name[1]))
    return found or None


def _metadata(lines: list[str]) -> str:
    """What seems to stand under `metadata:`."""
    start = next((at for at, line in enumerate(lines) if line.startswith("metadata:")), len(lines))
    end = next((at for at in range(start + 1, len(lines)) if not lines[at][0].isspace()), len(lines))
    return "\n".join(lines[start:end])
