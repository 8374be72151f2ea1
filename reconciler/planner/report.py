"""A plan as it is shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ZONE
from reconciler.model.filled import Preference, Record
from reconciler.model.plan import Candidate, Choice, Decision, Option, Plan
from reconciler.model.planned import (
    VERSION,
    Amount,
    PartOf,
    PlacedShare,
    PlannedCluster,
    PlannedWorkload,
    ShownCandidate,
    ShownChoice,
    Template,
    Waiting,
    WeighedTerm,
)
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.shares import Portion
from reconciler.planner.loads import requested
from reconciler.planner.snapshot import ClusterView

if TYPE_CHECKING:
    from reconciler.planner.allocation import Allotted  # arrays come with it

_NO_WORD: Final = PlannerSettings()
_NOTES: Final = 50  # that are shown


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a workload beside its plan: the object `workload` with its pods, which `source` states it, what
    is on `record` and what is `pending`; `portion` where it is a part of what its document states."""

    workload: Identity
    source: str = ""
    record: Record | None = None
    pending: Record | None = None
    allotted: "Allotted | None" = None
    portion: Portion | None = None


def shown(
    plan: Plan,
    view: ClusterView,
    pools: Sequence[Pool],
    *,
    made: datetime,
    known: Mapping[Identity, Known] | None = None,
    holder: str = "",
    profile: str = "",
    seconds: float = 0.0,
) -> PlannedCluster:
    """All that `plan` decided about `view`; `known` by the identity under which a workload is planned."""
    known = known or {}
    notes = tuple(dict.fromkeys((*view.notes, *plan.notes)))
    more = (f"and {len(notes) - _NOTES} more notes",) if len(notes) > _NOTES else ()
    return PlannedCluster(
        version=VERSION,
        made=made,
        holder=holder,
        profile=profile,
        seconds=seconds,
        nodes=len(view.nodes),
        zones=len({node.labels.get(ZONE, "") for node in view.nodes} - {""}),
        pools=len(pools),
        requested=requested(plan, view),
        value=plan.value,
        bound=plan.bound,
        gap=plan.gap,
        workloads=tuple(_workload(plan, need, known.get(need.identity)) for need in view.needs),
        moves=len(plan.moves),
        notes=(*notes[:_NOTES], *more),
    )


def choices(made: Iterable[Choice | Decision]) -> tuple[ShownChoice, ...]:
    """Each with the terms of what was chosen and of the next best."""
    return tuple(
        ShownChoice(
            _candidate(each.chosen),
            _candidate(each.runner_up) if each.runner_up is not None else None,
            each.subject if isinstance(each, Choice) else "",
        )
        for each in made
    )


def template(record: Record) -> Template:
    """What a record says of a pod template, in words where it is not said in a word."""
    return Template(dict(record.requests), record.spread, tuple(_preferred(each) for each in record.prefer))


def _workload(plan: Plan, need: WorkloadNeed, known: Known | None) -> PlannedWorkload:
    known = known or Known(need.identity)
    lack, weighs = plan.unplaced.get(need.identity), need.weighs or _NO_WORD
    portion = known.portion
    return PlannedWorkload(
        str(need.identity if portion is None else portion.document),
        *known.workload,
        source=known.source,
        replicas=need.replicas,
        profile=weighs.profile or "",
        weights=dict(sorted(weighs.weights.items())),
        amounts=_amounts(known.allotted) if known.allotted is not None else {},
        places=tuple(
            PlacedShare(share.count, share.place.pool, share.place.zone)
            for share in plan.placements.get(need.identity, ())
        ),
        choices=choices(
            (
                *(known.allotted.choices if known.allotted is not None else ()),
                *plan.decisions.get(need.identity, ()),
            )
        ),
        unplaced=Waiting(lack.count, lack.constraint.value, lack.reason, lack.fix) if lack is not None else None,
        template=template(known.record) if known.record is not None else None,
        pending=template(known.pending) if known.pending is not None else None,
        part=PartOf(portion.pool, portion.percent) if portion is not None else None,
    )


def _amounts(allotted: "Allotted") -> dict[str, Amount]:
    chosen = {"replicas": str(allotted.replicas)} if allotted.replicas is not None else {}
    chosen |= allotted.requests
    return {name: Amount(amount, allotted.why.get(name, "")) for name, amount in chosen.items()}


def _candidate(found: Candidate | Option) -> ShownCandidate:
    terms = tuple(WeighedTerm(each.family.value, each.name.value, each.value, each.weight) for each in found.terms)
    if isinstance(found, Candidate):
        return ShownCandidate(found.score, terms, what=found.what, amount=found.amount)
    return ShownCandidate(found.score, terms, pool=found.place.pool, zone=found.place.zone)


def _preferred(preference: Preference) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in preference.labels.items())
    zones = f"zone {' or '.join(preference.zones)}" if preference.zones else ""
    return f"{' in '.join(part for part in (labels, zones) if part)} (weight {preference.weight})"
