"""A plan that was made, as it is shown: with what lies in the objects, and what waits for a roll-out (rule 19)."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from reconciler.engine.filling import Records
from reconciler.engine.planning import Made
from reconciler.kube.names import Identity
from reconciler.model.planned import PlannedCluster
from reconciler.planner.loads import NodeLoad, loads
from reconciler.planner.report import Known, shown
from reconciler.planner.snapshot import ClusterView

if TYPE_CHECKING:
    from reconciler.planner.curves import Curve


class Shown(NamedTuple):
    """A plan, and of each node how much of it is requested."""

    plan: PlannedCluster
    nodes: tuple[NodeLoad, ...]


def known(made: Made, records: Records) -> Mapping[Identity, Known]:
    """What is known of each workload beside its plan, as of now."""
    records.forget()
    found: dict[Identity, Known] = {}
    for source, asking in made.asked.items():
        for identity, draft in asking.drafts.items():
            record = pending = None
            if draft.plannable:
                record, pending = records.settled(draft, made.advised.records.get(identity), planning=True)
            allotted = made.advised.allotted.get(identity)
            found[identity] = Known(draft.workload, source, record, pending, allotted, draft.portion)
    return found


def curve_of(made: Made, identity: Identity) -> "Curve | None":
    """Demand and forecast of what is planned as `identity`; None where there is no forecast."""
    allotted, demand = made.advised.allotted.get(identity), made.usage.demand.get(identity)
    foresight = allotted.outlook.foresight if allotted is not None and allotted.outlook is not None else None
    if foresight is None or demand is None:
        return None
    from reconciler.planner.curves import curve  # arrays come with it: they are there, since there is a forecast

    return curve(demand, foresight)


def curves(made: Made, most: int) -> Iterator[tuple[str, "Curve"]]:
    """Of the first that have one, each with the name of its workload."""
    found = ((str(identity), curve_of(made, identity)) for identity in sorted(made.advised.allotted))
    return islice(((name, curve) for name, curve in found if curve is not None), most)


def show(made: Made, beside: Mapping[Identity, Known], holder: str = "") -> Shown:
    """The plan that `holder` made. `beside` is what is `known`. Takes a while where there is much; pure."""
    advised = made.advised
    view = ClusterView(made.seen.nodes, made.seen.pods, advised.needs, advised.notes)
    plan = shown(
        advised.plan,
        view,
        advised.pools,
        made=made.at,
        known=beside,
        holder=holder,
        profile=made.policy.profile,
        seconds=made.seconds,
    )
    return Shown(plan, loads(advised.plan, view, advised.pools))
