"""What a pass would not come to, because something that it waits for fails: `execute`, without doing it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from reconciler.engine.graph import beside, cycles, waits
from reconciler.kube.names import Identity
from reconciler.model.change import UNDONE, WRITES, Action, Change
from reconciler.model.manifest import Manifest


def foreseen(
    changes: Iterable[Change],
    manifests: Mapping[Identity, Manifest],
    failing: Collection[Identity] = (),
    unseen: Collection[Identity] = (),
) -> list[Change]:
    """`changes` with those turned into HOLD that would be blocked, and into KEEP the deletions that would wait.

    `failing` are those of them that the server would refuse. What is only held or refused by our own rules blocks what
    needs it, and no deletion beside it. `unseen` are refused because we may not look: who applies may, so they block
    nothing.
    """
    every = {change.identity: change for change in changes}
    needed = {i: waits(change, manifests) & every.keys() for i, change in every.items() if change.action in WRITES}
    pending = {identity: others & needed.keys() for identity, others in needed.items()}
    failed = set(failing)
    for loop in cycles(pending):
        reason = "these wait for each other: " + " → ".join(map(str, loop))
        for identity in loop:
            every[identity] = replace(every[identity], action=Action.REFUSE, reason=reason)
            failed.add(identity)
    undone = [i for i, change in every.items() if change.action in UNDONE and i not in unseen]
    needed_by: dict[Identity, list[Identity]] = {}
    for identity, others in needed.items():
        for other in others:
            needed_by.setdefault(other, []).append(identity)
    while undone:
        other = undone.pop()
        for identity in needed_by.get(other, ()):
            if every[identity].action in WRITES:
                reason = f"waits for {other}: {every[other].reason}"
                every[identity] = replace(every[identity], action=Action.HOLD, reason=reason)
                failed.add(identity)
                undone.append(identity)
    unsure = {identity.namespace for identity in failed}
    return [
        replace(change, action=Action.KEEP, reason=reason)
        if change.action is Action.PRUNE and (reason := beside(change, unsure))
        else change
        for change in every.values()
    ]
