"""What is weighed anew, since its spec says otherwise how than before, or its pods are made anew anyway.

One workload after another is taken up and put back. So the room that it had is there for it: nobody is without a place
for having been weighed.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from reconciler.planner.keeping import Kept
from reconciler.planner.ledger import Ledger
from reconciler.planner.packing import Slot
from reconciler.planner.placing import Placer
from reconciler.planner.scoring import Noted


def weigh_anew(ledger: Ledger, placer: Placer, kept: Kept, workloads: Iterable[int]) -> dict[int, list[Noted]]:
    """Places anew what has a place, and says why. What runs stays, unless its pods are made anew; to come back counts
    as stickiness. Where a workload would have fewer places than before, or leave alone what must be with it, all of it
    stays as it was."""
    found = {}
    for workload in workloads:
        fixed = {} if ledger.intake.needs[workload].renewed else kept.running_of(workload)
        lifted = _take_up(ledger, workload, fixed)
        homes = dict(kept.homeless_of(workload))
        for slot in lifted:
            homes[slot.node] = homes.get(slot.node, 0) + 1
        left = ledger.count(workload)
        made = placer.place(workload, homes, len(lifted))  # what waits has its turn later
        if ledger.count(workload) < left + len(lifted) or _deserts(ledger, workload):
            _take_up(ledger, workload, fixed)
            _change(ledger, workload, lifted, 1)
        else:
            found[workload] = made
    return found


def _deserts(ledger: Ledger, workload: int) -> bool:
    """Whether what must be with it is now where it may not be."""
    held = {other: ledger.held(other) for other in ledger.topology.leaning_on(workload)}
    return any(ledger.topology.broken(other, np.array(sorted(nodes), np.int64)) for other, nodes in held.items())


def _take_up(ledger: Ledger, workload: int, fixed: Mapping[int, int]) -> list[Slot]:
    """All but what is `fixed` of each node, the last that came."""
    lifted: list[Slot] = []
    for node in sorted(ledger.held(workload)):
        lifted += ledger.slots(workload, node)[fixed.get(node, 0) :]
    _change(ledger, workload, lifted, -1)
    return lifted


def _change(ledger: Ledger, workload: int, slots: list[Slot], sign: int) -> None:
    """Enters them, or with a negative sign strikes them."""
    if any(slot.devices for slot in slots):
        for slot in slots:
            (ledger.enter if sign > 0 else ledger.strike)(workload, slot)
    elif slots:
        nodes, counts = np.unique([slot.node for slot in slots], return_counts=True)
        ledger.enter_many(workload, nodes, sign * counts)
