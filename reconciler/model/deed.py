"""What a pass did, or is to do, to one object: short enough to be kept."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, QUIET, Action, Change
from reconciler.model.result import Outcome, SyncResult
from reconciler.redact import CHANGED, REDACTED

FIELDS: Final = 20  # paths that are kept of an object
_PATH: Final = 200  # characters
_WHY: Final = 200  # characters
_VALUE: Final = 80  # characters of a value, and
_VALUES: Final = 800  # of all of an object


class Deed(NamedTuple):
    """`fields` are the paths that change, sorted; none where they are too many, or are not known. `why` says of what
    was not done why, and of what is to be done nothing. `values` are what the fields become, as JSON, a long one cut
    with a hash of the whole: one for each path, "" for a secret's, or none at all."""

    identity: Identity
    action: Action
    outcome: Outcome = Outcome.DONE
    fields: tuple[str, ...] = ()
    why: str = ""
    values: tuple[str, ...] = ()

    @property
    def becomes(self) -> Mapping[str, str]:
        """The values that are known, by path."""
        both = zip(self.fields, self.values, strict=True) if len(self.fields) == len(self.values) else ()
        return {path: value for path, value in both if value}

    def with_fields(self, values: Mapping[str, str]) -> "Deed":
        """With these paths and values, "" for one that is not known, as far as they are kept."""
        paths = tuple(sorted(values))
        if len(paths) > FIELDS or any(len(path) > _PATH for path in paths):
            return self._replace(fields=(), values=())
        kept = tuple(values[path] for path in paths)
        return self._replace(fields=paths, values=kept if any(kept) and sum(map(len, kept)) <= _VALUES else ())


def announced(changes: Iterable[Change]) -> tuple[Deed, ...]:
    """What `changes` would do. What is unconfirmed is made once what it needs is there."""
    return tuple(
        Deed(c.identity, Action.CREATE if c.action is Action.UNCONFIRMED else c.action).with_fields(_values(c))
        for c in changes
        if c.action not in QUIET
    )


def done(result: SyncResult) -> tuple[Deed, ...]:
    """What a pass did and failed to do, what it holds last. What a newer commit came before is left out."""
    found = [
        Deed(
            each.identity,
            each.action,
            each.outcome,
            why="" if each.outcome is Outcome.DONE else each.message[:_WHY],
        ).with_fields(_values(each.change))
        for each in result.results.values()
        if each.action not in QUIET and each.outcome is not Outcome.SUPERSEDED
    ]
    return tuple(sorted(found, key=lambda deed: (deed.outcome is Outcome.HELD, deed.identity)))


def _values(change: Change | None) -> Mapping[str, str]:
    return {field.path: _text(field.after) for field in change.fields} if change is not None else {}


def _text(value: Any) -> str:
    if value in (REDACTED, CHANGED):
        return ""
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode(errors="replace").decode()
    if len(text) <= _VALUE:
        return text
    digest = f"… #{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return text[: _VALUE - len(digest)] + digest
