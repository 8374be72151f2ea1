"""Which dangers of a review came true, told by what the server has before and after the merge."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from witnessed import Seen, Sight, became
from world import World

from reconciler.cluster.cluster import Cluster
from reconciler.kube.kinds import PRECIOUS
from reconciler.kube.names import GroupKind, Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import LABEL_TASK, Owner
from reconciler.model.ownership import Ownership, ownership
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.review_rules import RiskCode
from reconciler.render.podspec import TEMPLATES, pod_labels, pod_spec
from reconciler.review.review import Review

_SHOWN: Final = frozenset({RiskCode.NO_ROOM, RiskCode.BLOCKING_BUDGET, RiskCode.SERVICE_WITHOUT_ENDPOINTS})
_SERVICE: Final = "kubernetes.io/service-name"


def false_alarms(review: Review, before: Sight, after: Sight, result: SyncResult, owner: Owner) -> Iterator[str]:
    """Dangers that were announced, as far as what came of them is known already, and are none; and those that were
    not announced and came true."""
    changes = {change.identity: change for change in review.effects.whole}
    told = {(risk.code, risk.identity) for risk in review.risks}
    merged = {change.identity for change in review.effects.merged}
    came = set(_came_true(changes, before, after, owner))
    moved = {i for i, change in changes.items() if of_another_source(change, result.results.get(i))}
    approved = {
        i for code, i in told if code is RiskCode.HELD_PRUNE and i in changes and changes[i].action is Action.PRUNE
    }
    exact = {RiskCode.DELETION, RiskCode.REPLACEMENT, RiskCode.TAKEOVER}
    for code, identity in sorted(came - told):
        by_trailer = code is RiskCode.DELETION and identity in approved
        if identity in merged and identity not in moved and not by_trailer:
            yield f"! {code} of {identity} came true, and was not announced"
    for code, identity in sorted(told):
        change, seen = changes.get(identity), (before.get(identity), after.get(identity))
        untouched = became(*seen) == "unchanged"
        blocked = identity in result.results and result.results[identity].outcome is Outcome.BLOCKED
        if blocked or identity in moved:
            continue
        undone = change is not None and change.action in (Action.HOLD, Action.REFUSE, Action.UNCONFIRMED)
        if code in exact and (code, identity) not in came and not (undone and untouched):
            yield f"! {code} of {identity} was announced, and did not come true"
        if code is RiskCode.HELD_PRUNE and identity in approved:
            if became(*seen) != "prune":
                yield f"! {code} of {identity} was announced as approved, and {became(*seen)} happened"
        elif code in (RiskCode.HELD_PRUNE, RiskCode.REFUSED, RiskCode.UNSERVED_VERSION) and not untouched:
            yield f"! {code} of {identity} was announced, and {became(*seen)} happened"
    for identity, each in sorted(result.results.items()):
        risks = {code for code, other in told if other == identity}
        if identity not in merged or changes[identity].action is Action.UNCONFIRMED:
            continue
        if each.outcome is Outcome.FAILED and RiskCode.REFUSED not in risks:
            yield f"! {identity} failed, and was not announced as refused: {each.message}"
        held = each.action is Action.HOLD and each.change is not None and each.change.manifest is None
        if held and not risks & {RiskCode.HELD_PRUNE, RiskCode.DATA_LOSS}:
            yield f"! {identity} is held, and was not announced so: {each.message}"


def of_another_source(change: Change, told: ObjectResult | None) -> bool:
    """Whether it depends on what another source states now, which a plan of one repository cannot know."""
    refused = change.action is Action.REFUSE and change.reason.startswith("source ")
    return refused or (told is not None and told.message.startswith("moves to source "))


def _came_true(changes: Mapping[Identity, Change], before: Sight, after: Sight, owner: Owner) -> Iterator[Any]:
    ran = {(i.namespace, seen.live.labels.get(LABEL_TASK)) for i, seen in before.items() if i.kind == "Job"}
    for identity in sorted({*before, *after}):
        old, new = before.get(identity), after.get(identity)
        what = became(old, new)
        gone = what == "prune" and identity in changes  # else it went with its namespace, or its kind
        if gone:
            yield (RiskCode.DATA_LOSS if identity.group_kind in PRECIOUS else RiskCode.DELETION), identity
        if what == "replace":
            yield RiskCode.REPLACEMENT, identity
        if new is None:
            continue
        if old is not None and _strange(old, owner) and not _strange(new, owner):
            yield RiskCode.TAKEOVER, identity
        task = new.live.labels.get(LABEL_TASK) if identity.kind == "Job" and what == "create" else None
        if task is not None and (identity.namespace, task) in ran:
            yield RiskCode.TASK_RUNS_AGAIN, identity
        if what == "unchanged":
            continue
        if _freedoms(new) - _freedoms(old):
            yield RiskCode.WEAKER_POD_SECURITY, identity
        if _grants(new) - _grants(old):
            yield RiskCode.WIDER_PRIVILEGES, identity
        if identity.kind == "Service" and _selector(new) and not any(_matching(new, after)):
            yield RiskCode.SERVICE_WITHOUT_ENDPOINTS, identity


def _strange(seen: Seen, owner: Owner) -> bool:
    return ownership(seen.live, owner) in (Ownership.FOREIGN, Ownership.COPY, Ownership.OTHER_INSTALL)


def _freedoms(seen: Seen | None) -> set[str]:
    spec = pod_spec(seen.live.identity.group_kind, seen.live.object) if seen is not None else None
    return {name for name in ("hostNetwork", "hostPID") if (spec or {}).get(name)}


def _grants(seen: Seen | None) -> set[str]:
    """What a Role of the generated ones allows, or who is bound by a RoleBinding to what."""
    obj = seen.live.object if seen is not None else {}
    verbs = {verb for rule in obj.get("rules") or () for verb in rule["verbs"]}
    role = (obj.get("roleRef") or {}).get("name")
    return ({"get", "list", "*"} if "*" in verbs else verbs) | {
        f"{subject['name']} {role}" for subject in obj.get("subjects") or ()
    }


def _selector(service: Seen) -> Mapping[str, str]:
    return service.live.object["spec"].get("selector") or {}


def _matching(service: Seen, there: Sight) -> Iterable[Identity]:
    wanted = LabelSelector.of({"matchLabels": dict(_selector(service))})
    for identity, seen in there.items():
        labels = pod_labels(identity.group_kind, seen.live.object)
        if identity.namespace == service.live.identity.namespace and labels and wanted.matches(labels):
            yield identity


async def later(w: World, cluster: Cluster, review: Review) -> list[str]:
    """The same of dangers that show once controllers have done their part: the cluster has nodes."""
    undone = {c.identity for c in review.effects.whole if c.action in (Action.HOLD, Action.REFUSE, Action.UNCONFIRMED)}
    stays = undone | {c.identity for c in review.effects.whole if c.action is Action.KEEP}
    if any(identity.group_kind in TEMPLATES for identity in stays):
        return []  # the dangers are those of what Git states, and the pods are others
    shown = {(risk.code, risk.identity) for risk in review.risks if risk.code in _SHOWN and risk.identity not in undone}
    if shown:
        await w.clock.sleep(40)
    return [
        f"! {code} of {identity} was announced, and did not come true"
        for code, identity in sorted(shown)
        if (live := await cluster.get(identity)) is not None and not await _came(code, live, cluster)
    ]


async def _came(code: RiskCode, live: Live, cluster: Cluster) -> bool:
    space = live.identity.namespace
    if code is RiskCode.BLOCKING_BUDGET:
        return live.object.get("status", {}).get("disruptionsAllowed", 0) == 0
    if code is RiskCode.SERVICE_WITHOUT_ENDPOINTS:
        slices = await cluster.list(GroupKind("discovery.k8s.io", "EndpointSlice"), space)
        return not any(
            each.object.get("endpoints") for each in slices if each.labels.get(_SERVICE) == live.identity.name
        )
    selector = LabelSelector.of(live.object["spec"].get("selector"))
    pods = [pod for pod in await cluster.list(GroupKind("", "Pod"), space) if selector.matches(pod.labels)]
    return live.object["spec"].get("replicas") == 0 or not all(pod.object["spec"].get("nodeName") for pod in pods)
