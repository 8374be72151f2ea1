"""What specs leave open → what to fill in: how many, how much, then where. Pure.

Imports numpy and the solver: import this module only when there is something to plan.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import Final

from reconciler.kube.names import Identity
from reconciler.kube.selector import Operator
from reconciler.model.cluster_view import HOSTNAME, ZONE, ClusterSeen
from reconciler.model.filled import Draft, Preference, Record
from reconciler.model.plan import IDENTITY, Plan, Share
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import SPARES, Allocation, Policy
from reconciler.model.reading import need
from reconciler.model.usage import Usage
from reconciler.planner.allocation import Allotted, Before, allot, in_force, spread_over
from reconciler.planner.plan import plan
from reconciler.planner.pools import found


@dataclass(frozen=True, slots=True)
class Asked:
    """One workload to plan. `recorded` is what was filled in before; `made`: it is a Job that was made already;
    `there` is how many pods its document is to have by the objects that are there, 0 where a plan has said it."""

    draft: Draft
    recorded: Record | None = None
    made: bool = False
    there: int = 0


@dataclass(frozen=True, slots=True)
class Advised:
    """`records` has what to fill in for each workload that leaves something open, `allotted` how that was reckoned: of
    one with shares once, under the document and under each part.

    `needs` is what the plan was asked, `pools` those that were planned with; `notes` what could not be read and what
    was done about it.
    """

    plan: Plan = IDENTITY
    records: Mapping[Identity, Record] = field(default_factory=dict)
    allotted: Mapping[Identity, Allotted] = field(default_factory=dict)
    needs: tuple[WorkloadNeed, ...] = ()
    pools: tuple[Pool, ...] = ()
    notes: tuple[str, ...] = ()


NOBODY: Final = Advised()
MOST_NODES: Final = 32  # that are named in a pod template; a workload on more of them is told its pools only
LARGE: Final = 500  # nodes: with more, a wish about other pods costs the scheduler too much, which looks at all pods


def advised(
    asked: Iterable[Asked],
    seen: ClusterSeen,
    usage: Usage,
    *,
    pools: tuple[Pool, ...],
    policy: Policy,
    allocation: Allocation,
    now: datetime,
    previous: Advised = NOBODY,
    resting: Collection[Identity] | None = None,
) -> Advised:
    """For all workloads of a cluster at once. Without `pools` they are told from the labels of the nodes.

    Where somebody carries out moves, running replicas may be moved out of the way of waiting ones: of a Deployment with
    two at least (a Job would begin anew, a lone replica would be missed) that is not `resting`. None: nobody does.
    """
    pools = pools or found(seen.nodes)
    running = _running(seen)
    apart = spread_over(seen.nodes, max(SPARES.values()))
    allotted: dict[Identity, Allotted] = {}
    needs: list[WorkloadNeed] = []
    notes = list(seen.notes)
    open_: list[Asked] = []
    ordered = sorted((one for one in asked if not one.made), key=lambda one: one.draft.identity)
    wholes: dict[Identity, list[Asked]] = {}
    for each in ordered:
        wholes.setdefault(each.draft.whole, []).append(each)
    for each in ordered:
        draft = each.draft
        template, own = draft.template, policy.of(draft.weighs)
        if draft.plannable:
            if draft.whole not in allotted:
                before = _before(wholes[draft.whole], running, previous)
                spares = min(SPARES[own.profile], apart)
                mine = allot(draft, before, usage, spares=spares, rules=allocation, policy=own, now=now)
                allotted[draft.whole] = mine
                if draft.scale is not None and draft.scale.query is not None and draft.whole in usage.lacking:
                    notes.append(f"{draft.whole}: {usage.lacking[draft.whole]}")
            mine = allotted[draft.identity] = allotted[draft.whole]
            template = draft.requesting(in_force(draft, each.recorded, mine.requests))
            open_.append(each)
        count = _replicas(draft, allotted.get(draft.identity), running.get(draft.identity, 0))
        try:
            asks = need(draft.identity, count, template, seen.around)
            renewed = _renewed(draft, each.recorded)
            movable = resting is not None and draft.identity not in resting and not renewed
            movable = movable and count > 1 and draft.workload.kind == "Deployment"
            needs.append(replace(asks, movable=movable, weighs=draft.weighs, renewed=renewed))
        except (ValueError, TypeError, AttributeError) as error:
            notes.append(f"{draft.identity} is left out: {error}")
    past = replace(previous.plan, unplaced={}) if _freer(needs, previous.needs) else previous.plan
    made = plan(seen.nodes, seen.pods, needs, pools, policy, past, seen.around.quotas)
    zones = frozenset(zone for node in seen.nodes if node.ready and (zone := node.labels.get(ZONE)))
    labels = {pool.name: pool.node_selector for pool in pools}
    wanted = {each.identity: each for each in needs}
    hostnames = {node.name: name for node in seen.nodes if (name := node.labels.get(HOSTNAME))}
    records = {
        each.draft.identity: _record(
            each.draft,
            allotted[each.draft.identity],
            made.placements.get(each.draft.identity, ()),
            [hostnames[name] for name in made.assignment.get(each.draft.identity, ()) if name in hostnames],
            labels,
            _allowed(wanted[each.draft.identity], zones),
            large=len(seen.nodes) > LARGE,
        )
        for each in open_
        if each.draft.identity in wanted
    }
    return Advised(made, records, allotted, tuple(needs), pools, (*notes, *made.notes))


def _renewed(draft: Draft, recorded: Record | None) -> bool:
    """Whether its places are all weighed anew: its pods are made anew anyway, and its spec says how to weigh, or did
    when they were made."""
    if recorded is None or recorded.asked == draft.hash:
        return False
    return draft.weighs is not None or recorded.weighs is not None


def _before(parts: Sequence[Asked], running: Mapping[Identity, int], previous: Advised) -> Before:
    """What there is of a workload: of one with shares, in all its parts. Their records have the replicas of all."""
    whole = parts[0].draft.whole
    last = previous.allotted.get(whole)
    recorded = next((each.recorded for each in parts if each.recorded is not None), None)
    # Some of what runs may be about to end, where objects are replaced, and some may have no node yet.
    pods = parts[0].there or sum(running.get(each.draft.identity, 0) for each in parts)
    return Before(recorded, pods, last.outlook if last is not None else None)


def _freer(needs: Iterable[WorkloadNeed], before: Iterable[WorkloadNeed]) -> bool:
    """Whether more may be moved than at the plan before: then what had no place is searched for once more."""

    def movable(need: WorkloadNeed) -> float:
        return 0 if not need.movable else inf if need.disruptions is None else need.disruptions

    known = {need.identity: movable(need) for need in before}
    return any(movable(need) > known.get(need.identity, inf) for need in needs)


def _running(seen: ClusterSeen) -> dict[Identity, int]:
    """Replicas that have a node, by workload."""
    counts: dict[Identity, int] = {}
    for pod in seen.pods:
        if pod.owner is not None:
            counts[pod.owner] = counts.get(pod.owner, 0) + 1
    return counts


def _replicas(draft: Draft, allotted: Allotted | None, running: int) -> int:
    """How many are to have a place: what is stated or planned; of an autoscaler's, those that run and are to. Of a
    part, its share."""
    planned = allotted.replicas or 0 if allotted is not None else 0
    count, scale = planned if draft.replicas is None else draft.replicas, draft.scale
    if draft.portion is not None:
        count = draft.portion.of(count)
        scale = draft.portion.scale(scale) if scale is not None else None
    if draft.replicas is None and scale is not None and scale.query is None:
        return min(max(scale.min, count, running), scale.max)
    return count


def _allowed(need: WorkloadNeed, zones: frozenset[str]) -> frozenset[str]:
    """Those of `zones` that the spec leaves to it."""
    stated = {
        value
        for term in need.node_affinity
        for each in term
        if each.key == ZONE and each.operator is Operator.IN
        for value in each.values
    }
    return zones & stated if stated else zones


def _record(
    draft: Draft,
    allotted: Allotted,
    shares: Collection[Share],
    hostnames: Collection[str],
    labels: Mapping[str, Mapping[str, str]],
    zones: frozenset[str],
    *,
    large: bool,
) -> Record:
    several = draft.replicas is None or draft.replicas > 1
    spread: tuple[str, ...] = ()
    if not draft.spread and several:
        spread = ("zone", "node") if len(zones) > 1 else ("node",)
    prefer = tuple(_preferences(draft, shares, labels, frozenset() if several else zones))
    nodes = tuple(sorted(hostnames)) if len(hostnames) <= MOST_NODES else ()
    over = {each.get("topologyKey") for each in draft.template["spec"].get("topologySpreadConstraints") or ()}
    apart = several and len(zones) > 1 and not large and bool(prefer or nodes) and (ZONE in over or not draft.spread)
    requests = dict(allotted.requests)
    return Record(draft.hash, prefer, spread, requests, allotted.replicas, nodes, draft.weighs, apart=apart)


def _preferences(
    draft: Draft, shares: Collection[Share], labels: Mapping[str, Mapping[str, str]], zones: frozenset[str]
) -> Iterable[Preference]:
    """One for each pool, by its share of the replicas; the zones that it uses, unless these are all of `zones`.

    Where there are several replicas no zone is preferred: it would outweigh that they are spread. What the spec
    requires of a node already need not be preferred.
    """
    required = draft.template["spec"].get("nodeSelector") or {}
    total = sum(share.count for share in shares)
    for pool in sorted({share.place.pool for share in shares}):
        here = [share for share in shares if share.place.pool == pool]
        part = sum(share.count for share in here)
        wanted = {name: value for name, value in labels.get(pool, {}).items() if required.get(name) != value}
        used = {share.place.zone for share in here}
        within = () if used >= zones or "" in used else tuple(sorted(used))
        if wanted or within:
            yield Preference(max(1, round(100 * part / total)), dict(sorted(wanted.items())), within)
