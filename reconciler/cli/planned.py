"""What the planner of the cluster decided, as it lies in the cluster: what several verbs show of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from reconciler.cluster.lease import LeaseSeen, seen
from reconciler.daemon.page.parts import ago
from reconciler.engine.planning import LEASE
from reconciler.engine.plans import PlanMaps
from reconciler.errors import ConfigError, Forbidden, ReconcilerError
from reconciler.kube.kinds import CRON_JOB, DEPLOYMENT, JOB, STATEFUL_SET
from reconciler.model.change import Live
from reconciler.model.filled import Record
from reconciler.model.manifest import ANNOTATION_PLANNED, ANNOTATION_SPEC
from reconciler.model.planned import PlannedCluster
from reconciler.planner import words
from reconciler.planner.report import template
from reconciler.plural import counted

if TYPE_CHECKING:
    from reconciler.cli.session import Session

_WORKLOADS: Final = frozenset({DEPLOYMENT, STATEFUL_SET, JOB, CRON_JOB})


@dataclass(frozen=True, slots=True)
class Planner:
    """Who plans, and the newest plan. `problem` says why one of them is not known."""

    lease: LeaseSeen | None
    plan: PlannedCluster | None
    now: datetime
    problem: str = ""

    @property
    def holder(self) -> str:
        """Who plans at present; "" where nobody does."""
        return self.lease.holder if self.lease is not None and not self.lease.expired(self.now) else ""


async def planner(it: "Session") -> Planner:
    """Asks the cluster; what cannot be read is a problem, not an error. Who may not read leases need not hear of it
    where there is no plan."""
    lease = plan = None
    problems, forbidden = [], ""
    try:
        lease = await seen(it.cluster.server.api, it.namespace, LEASE)
    except Forbidden as error:
        forbidden = f"who plans cannot be told: {error}"
    except ReconcilerError as error:
        problems.append(f"who plans cannot be told: {error}")
    try:
        plan = await PlanMaps(it.cluster, it.namespace, clock=it.clock).read()
    except ReconcilerError as error:
        hint = f"; {error.hint}" if isinstance(error, ConfigError) and error.hint else ""
        problems.append(f"the plan cannot be told: {error}{hint}")
    if plan is not None and forbidden:
        problems.append(forbidden)
    return Planner(lease, plan, it.clock.now(), "; ".join(problems))


async def about(it: "Session", live: Live, managed: bool) -> list[str]:
    """What was planned for an object, in lines; nothing for what is no workload, or not ours."""
    if live.identity.group_kind not in _WORKLOADS or not managed:
        return []
    found = await planner(it)
    lines = standing(found) or ["no planner runs: what its spec leaves open is as Kubernetes has it by default"]
    document = live.annotations.get(ANNOTATION_SPEC) or str(live.identity)
    planned = found.plan and (found.plan.of(live.identity) or found.plan.stated(document))
    if planned:
        return [*lines, *words.workload(planned)]
    if found.plan is not None and found.plan.left_out:
        lines.append("the published plan has no room for it")
    elif found.plan is not None:
        lines.append("the plan is not about it")
    record = Record.of(live.annotations.get(ANNOTATION_PLANNED, ""))
    return [*lines, words.recorded(template(record))] if record is not None else lines


def standing(found: Planner) -> list[str]:
    """Whether somebody plans, who, and how old and how good the newest plan is; nothing where there never was one."""
    plan, holder = found.plan, found.holder
    if plan is None and found.lease is None and not found.problem:
        return []
    lines = [found.problem] if found.problem else []
    if holder:
        lines.append(f"{holder} plans")
    elif found.lease is not None and found.lease.holder:
        heard = f", last heard of {ago(found.lease.renewed, found.now)}" if found.lease.renewed else ""
        lines.append(f"nobody plans at present: the lease is that of {found.lease.holder}{heard}")
    else:
        lines.append("nobody plans at present; what was planned stays")
    if plan is None:
        return [*lines, "no plan is published"]
    by = "" if plan.holder == holder else f" by {plan.holder}"
    lines.append(f"the newest plan is of {ago(plan.made, found.now)}{by}: {summary(plan)}")
    return lines


def summary(plan: PlannedCluster) -> str:
    """In a line."""
    number = plan.unplaced
    waits = f"{counted(number, 'replica')} without a place" if number else "every replica has a place"
    pending = f"; advice for {counted(plan.pending, 'workload')} waits for a roll-out" if plan.pending else ""
    return f"{waits}; placed value {words.quality(plan)}{pending}"


def document(found: Planner) -> dict[str, Any] | None:
    """As JSON has it in `reconciler status`; None where there never was a planner."""
    plan = found.plan
    if plan is None and found.lease is None and not found.problem:
        return None
    return {
        "holder": found.holder or None,
        "problem": found.problem or None,
        "plan": {
            "made": plan.made.isoformat(),
            "by": plan.holder,
            "value": plan.value,
            "bound": plan.bound,
            "gap": plan.gap,
            "unplaced": plan.unplaced,
            "pending": plan.pending,
        }
        if plan is not None
        else None,
    }
