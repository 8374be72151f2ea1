"""What a pass did, or is to do, to one object: short enough to be kept."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.result import Outcome, SyncResult

FIELDS: Final = 20  # paths that are kept of an object
_PATH: Final = 200  # characters
_WHY: Final = 200  # characters
_QUIET: Final = frozenset({Action.NONE, Action.KEEP})


class Deed(NamedTuple):
    """`fields` are the paths that change, sorted; none where they are too many, or are not known. `why` says of what
    was not done why, and of what is to be done nothing."""

    identity: Identity
    action: Action
    outcome: Outcome = Outcome.DONE
    fields: tuple[str, ...] = ()
    why: str = ""


def announced(changes: Iterable[Change]) -> tuple[Deed, ...]:
    """What `changes` would do. What is unconfirmed is made once what it needs is there."""
    return tuple(
        Deed(c.identity, Action.CREATE if c.action is Action.UNCONFIRMED else c.action, fields=paths_of(c))
        for c in changes
        if c.action not in _QUIET
    )


def done(result: SyncResult) -> tuple[Deed, ...]:
    """What a pass did and failed to do, what it holds last. What a newer commit came before is left out."""
    found = [
        Deed(
            each.identity,
            each.action,
            each.outcome,
            paths_of(each.change),
            "" if each.outcome is Outcome.DONE else each.message[:_WHY],
        )
        for each in result.results.values()
        if each.action not in _QUIET and each.outcome is not Outcome.SUPERSEDED
    ]
    return tuple(sorted(found, key=lambda deed: (deed.outcome is Outcome.HELD, deed.identity)))


def paths_of(change: Change | None) -> tuple[str, ...]:
    """As a Deed has them."""
    paths = sorted({field.path for field in change.fields}) if change is not None else []
    return tuple(paths) if len(paths) <= FIELDS and all(len(path) <= _PATH for path in paths) else ()
