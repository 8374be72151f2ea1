"""What keeps one commit from deleting too much (rule 11).

Deletions wait for an approval when they are more than the guard allows, when a configured path is empty or unreadable,
and always when they would take data or other objects with them. There are two approvals, and each is exact:

- A commit trailer `Reconciler-Allow-Prune: <n>` among the commits of this pass approves n deletions, once: those
  commits are never passed again. n is the number of all deletions of the pass, as a plan counts them, or of those that
  are held, as `status` counts them. Any other number approves nothing.
- `reconciler prune --approve` approves the very objects that it showed, by uid: a uid never returns, so it is used up.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from reconciler.kube.kinds import PRECIOUS
from reconciler.model.change import HELD, Action, Change, Gate
from reconciler.model.config import PruneGuard
from reconciler.model.manifest import TRAILER_ALLOW_PRUNE


def guard(
    changes: Sequence[Change],
    *,
    owned: int,
    config: PruneGuard,
    allow: int = 0,
    approved: Collection[str] = (),
    empty: Sequence[str] = (),
) -> list[Change]:
    """`changes` with the deletions that need an approval turned into HOLD; everything else as it was, in its order.

    `owned` is how many objects the source owns now, `allow` the sum of the trailers, `approved` are the uids approved
    by hand and `empty` the configured paths that hold nothing.
    """
    going = [change for change in changes if change.action is Action.PRUNE]
    limit = max(config.count, owned * config.percent // 100)
    whole = _everything(len(going), owned, limit, empty)
    held = {
        change.identity: whole or f"{HELD}a {change.identity.kind} is deleted only with an approval"
        for change in going
        if change.uid not in approved and (whole or change.identity.group_kind in PRECIOUS)
    }
    if allow and allow in (len(going), len(held)):
        return list(changes)
    hint = _hint(len(going), allow)
    return [
        replace(change, action=Action.HOLD, reason=held[change.identity], hint=hint, gate=Gate.DELETION)
        if change.action is Action.PRUNE and change.identity in held
        else change
        for change in changes
    ]


def stricter(one: PruneGuard, other: PruneGuard) -> PruneGuard:
    """The guard that allows no more than either: of old and new settings the stricter one applies."""
    return PruneGuard(count=min(one.count, other.count), percent=min(one.percent, other.percent))


def _everything(going: int, owned: int, limit: int, empty: Sequence[str]) -> str:
    """Why all deletions of the pass wait; "" where they need not."""
    if empty:
        return f"{HELD}nothing is left in {', '.join(sorted(empty))}"
    if going > limit:
        return f"{HELD}{going} of {owned} objects would go, the guard allows {limit}"
    return ""


def _hint(going: int, allow: int) -> str:
    found = f"the commits approve {allow}, not {going}; " if allow else ""
    return f"{found}commit with the trailer '{TRAILER_ALLOW_PRUNE}: {going}', or run `reconciler prune --approve`"
