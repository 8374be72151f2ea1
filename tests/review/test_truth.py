"""What a review announces is what a merge does, and nothing else: planned, then applied for real."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import msgspec
from amount import examples
from dangers_seen import false_alarms, later, of_another_source
from generated_pairs import PAIRS, Approval, How, Pair
from generated_slots import EXTRA, Files
from hypothesis import given
from intercepted import hook
from kubernetes_server import KubernetesServer
from virtual import virtual
from witnessed import Sight, became, jobs_rest, sight
from world import World, world

from reconciler.diff.prune import finish
from reconciler.engine.filling import Filler
from reconciler.engine.readiness import ready
from reconciler.engine.wanting import Wanting
from reconciler.http.transport import Request, Response
from reconciler.kube.kinds import JOB
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import PruneGuard
from reconciler.model.deed import Deed, announced, done
from reconciler.model.result import Outcome, SyncResult
from reconciler.model.snapshot import Snapshot
from reconciler.render.podspec import TEMPLATES
from reconciler.review.beside import new_messages, nodes_of
from reconciler.review.effects import Effects
from reconciler.review.review import Review
from reconciler.review.reviewer import Beside, Reviewer

WRITES: Final = {
    Action.CREATE: {"create"},
    Action.UNCONFIRMED: {"create"},
    Action.UPDATE: {"update"},
    Action.ADOPT: {"update"},
    Action.REPLACE: {"replace"},
    Action.PRUNE: {"prune"},
}
"""What the server shows of each action; of all others nothing."""
KINDS: Final = tuple(
    GroupKind(*each)
    for each in (
        ("", "ConfigMap"),
        ("", "Namespace"),
        ("", "Secret"),
        ("", "Service"),
        ("", "ServiceAccount"),
        ("", "LimitRange"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("batch", "CronJob"),
        ("batch", "Job"),
        ("networking.k8s.io", "Ingress"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("policy", "PodDisruptionBudget"),
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
    )
)
DENIED: Final = msgspec.json.encode(
    {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": 403,
        "reason": "Forbidden",
        "message": 'admission webhook "policy.example.com" denied the request: not here',
    }
)


async def deny(request: Request) -> Response | None:
    """An admission webhook's answer to what is labelled for it."""
    if request.method == "PATCH" and b'"admission":"deny"' in request.body:
        return Response(403, {"content-type": "application/json"}, DENIED)
    return None


def own(w: World, text: str) -> str:
    """A generated text with the names that are this world's."""
    return text.replace(EXTRA, w.name("extra")).replace("GROUP", w.name("group"))


def own_files(w: World, files: Files) -> dict[str, str]:
    return {path: own(w, text) for path, text in files.items()}


def whole(w: World, pair: Pair, files: Files) -> dict[str, str]:
    folder = "" if pair.paths == (".",) else f"{pair.paths[0]}/"
    space = {} if pair.settled else {f"{folder}namespace.yaml": w.namespace()}
    return {**space, **own_files(w, files)}


async def made_by_somebody(w: World, pair: Pair) -> None:
    """What was there before, and the namespace for it."""
    if not pair.settled:
        return
    await w.create("/api/v1/namespaces", {"metadata": {"name": w.space}})
    await w.cluster.discovery.refresh()
    for stranger in pair.strangers:
        obj = {**stranger.object, "metadata": {**stranger.object["metadata"], "namespace": w.space}}
        group, _, version = obj["apiVersion"].rpartition("/")
        resource = w.cluster.discovery.resources[GroupKind(group, obj["kind"])].plural
        root = f"apis/{group}/{version}" if group else "api/v1"
        if stranger.how is How.APPLY:
            path = w.path(f"{resource}/{obj['metadata']['name']}", root)
            await w.call("PATCH", path, obj, kind="apply-patch+yaml", fieldManager="another-tool")
            continue
        manager = "somebody"
        if stranger.how is How.KUBECTL:
            manager = "kubectl-client-side-apply"
            noted = {"kubectl.kubernetes.io/last-applied-configuration": msgspec.json.encode(obj).decode()}
            obj = {**obj, "metadata": {**obj["metadata"], "annotations": noted}}
        await w.call("POST", w.path(resource, root), obj, fieldManager=manager)


async def edited_by_somebody(w: World, pair: Pair) -> None:
    """What happens between the two revisions, as far as there is something to edit."""
    for edit in pair.edits:
        path = w.path(edit.resource, edit.api)
        request = Request("GET", path, (), {"accept": "application/json"})
        found = await w.transport.send(request)
        if found.status != 200:
            continue
        if edit.patch is None:
            await w.call("DELETE", path)
        elif edit.applied:
            head = {
                key: value for key, value in msgspec.json.decode(found.body).items() if key in ("apiVersion", "kind")
            }
            body, more = {**head, **edit.patch}, {"fieldManager": "another-tool", "force": "true"}
            await w.call("PATCH", path, body, kind="apply-patch+yaml", **more)
        else:
            await w.patch(path, edit.patch)


async def review_of(w: World, base: Snapshot) -> tuple[Review, Review, Sight]:
    """Beside the cluster, beside the base alone, and what there is."""
    reconciler, repository = w.sources["shop"], w.repositories["shop"]
    head = (await repository.poll()).snapshot
    assert head is not None
    config, owner = reconciler.config, reconciler.owner
    cluster = w.new_cluster()
    try:
        await cluster.discovery.refresh()
        fill = Filler(config, cluster).fill
        wanting = Wanting(config, owner, repository, scopes=cluster.discovery.scopes, fill=fill)
        state = await w.state()
        messages = await new_messages(repository, state, base.revision.commit, head.revision.commit)
        beside = Beside(cluster, state, await nodes_of(cluster), messages)
        there = await Reviewer(config, owner, wanting).review(base, head, head.revision, beside)
        alone = Reviewer(config, owner, Wanting(config, owner, repository))
        imagined = await alone.review(base, head, head.revision, Beside(messages=messages))
        return there, imagined, await sight(w, cluster, (*KINDS, GroupKind(own(w, "GROUP.example.com"), "Lamp")))
    finally:
        await cluster.close()


def deletions(changes: tuple[Change, ...]) -> int:
    """As the guard counts them."""
    going = [c for c in changes if c.manifest is None and c.action in (Action.PRUNE, Action.HOLD)]
    return len([c for c in going if c.action is Action.PRUNE or c.reason.startswith("held")])


def untruths(changes: Mapping[Identity, Change], before: Sight, after: Sight, result: SyncResult) -> list[str]:
    """Whatever was announced and did not happen, and the other way round."""
    found = []
    surprised = any(
        each.outcome is not Outcome.DONE and i in changes and changes[i].action is Action.UNCONFIRMED
        for i, each in result.results.items()
    )
    for identity in sorted({*changes, *before, *after}):
        change = changes.get(identity)
        wanted = WRITES.get(change.action, {"unchanged"}) if change is not None else {"unchanged"}
        happened = became(before.get(identity), after.get(identity))
        told = result.results.get(identity)
        if surprised and told is not None and told.outcome in (Outcome.FAILED, Outcome.HELD, Outcome.BLOCKED):
            wanted = {*wanted, "unchanged"}  # what is not confirmed may fail, and what waits for it does not come
        if change is not None and of_another_source(change, told):
            wanted = {*wanted, "update", "replace", "unchanged"}
        if happened not in wanted:
            said = f"{change.action} ({change.reason})" if change is not None else "nothing"
            what = f"{told.action} {told.outcome} ({told.message})" if told is not None else "nothing"
            found.append(f"{identity}: announced {said}; happened {happened}; the pass says {what}")
    return found


def other_values(announced_: Iterable[Change], done_: Iterable[Deed]) -> list[str]:
    """Fields that became something else than was announced."""
    said = {deed.identity: deed for deed in announced(announced_)}
    return [
        f"{deed.identity}: {path} announced as {said[deed.identity].becomes[path]}, and became {value}"
        for deed in done_
        if deed.outcome is Outcome.DONE and deed.identity in said and said[deed.identity].action is deed.action
        for path, value in deed.becomes.items()
        if said[deed.identity].becomes.get(path, value) != value
    ]


def by_identity(changes: tuple[Change, ...]) -> dict[Identity, Change]:
    return {change.identity: change for change in changes}


def applied_whole(result: SyncResult) -> bool:
    """Whether the cluster is as the revision says."""
    return result.ok and all(each.outcome is Outcome.DONE for each in result.results.values())


def calm(there: Sight) -> bool:
    """Whether all workloads are healthy and all Jobs done, as they are imagined where there is no cluster."""
    workloads = [seen.live for seen in there.values() if seen.live.identity.group_kind in TEMPLATES]
    return all(finish(live.object)[0] if live.identity.group_kind == JOB else ready(live).ready for live in workloads)


def refused_by_the_server(there: Effects, alone: Effects) -> bool:
    """Whether only a server could know."""
    known = {change.identity for change in alone.merged if change.action is Action.REFUSE}
    return any(change.action is Action.REFUSE and change.identity not in known for change in there.merged)


def disagreements(there: Effects, alone: Effects) -> list[str]:
    """What is announced otherwise beside a cluster that is as the base says than beside the base alone."""
    one, other = by_identity(there.merged), by_identity(alone.merged)
    found = []
    for identity in sorted({*one, *other}):
        said = [_word(changes.get(identity)) for changes in (one, other)]
        if said[0] != said[1]:
            found.append(f"{identity}: announced {said[0]} beside the cluster, {said[1]} beside the base")
        elif other.get(identity) is not None and other[identity].reason.startswith("was read as"):
            continue  # another version of its API: which fields that changes, only a server can tell
        elif said[0] == "update" and not agree(touched(one[identity]), touched(other[identity])):
            fields = [", ".join(touched(changes[identity])) for changes in (one, other)]
            found.append(
                f"{identity}: announced update of {fields[0]} beside the cluster, of {fields[1]} beside the base"
            )
    return found


def _word(change: Change | None) -> str:
    if change is None or change.action in (Action.NONE, Action.KEEP):
        return "nothing"
    return str(Action.CREATE if change.action is Action.UNCONFIRMED else change.action)


def touched(change: Change) -> list[str]:
    return [field.path for field in change.fields]


def agree(one: list[str], other: list[str]) -> bool:
    """Whether each speaks of the same places as the other: a server leaves out an empty map, so it may say more of
    one in a single word."""
    return all(
        any(there.startswith(path) or path.startswith(there) for there in theirs)
        for mine, theirs in ((one, other), (other, one))
        for path in mine
    )


async def told_the_truth(w: World, pair: Pair, *, alive: bool) -> set[str]:
    """Both ways of reviewing, then the merge; the actions and dangers that there were.

    `alive`: the cluster has nodes, whose pods run.
    """
    await made_by_somebody(w, pair)
    if pair.others:
        w.source("other").commit(own_files(w, pair.others[0]))
        await w.sync("other")
    guard = PruneGuard(1, 0) if pair.strict else PruneGuard(1000, 100)
    repository = w.source(guard=guard, paths=pair.paths, adopt=pair.adopt)
    repository.commit(whole(w, pair, pair.first))
    first = await w.sync()
    if alive:
        await w.clock.sleep(40)  # roll-outs and Jobs end
        await w.sources["shop"].work()  # what was kept for them goes
    base = w.sources["shop"].snapshot
    assert base is not None
    if pair.edits:
        await w.restart(partial(edited_by_somebody, w, pair))  # else each is healed before anybody looks
    if pair.others:
        w.repositories["other"].commit({**dict.fromkeys(pair.others[0]), **own_files(w, pair.others[1])})
        await w.sync("other")
        await w.sources["shop"].work()  # which takes what the other one gave up
    repository.commit({**dict.fromkeys(pair.first), **whole(w, pair, pair.second)})
    if w.tag:  # nodes in real time: who keeps what for a Job while it runs cannot say when it ends
        await w.until(partial(jobs_rest, w))
    review, alone, before = await review_of(w, base)
    if pair.approval is not Approval.NONE and (going := deletions(review.effects.whole)):
        trailer = f"Approve\n\nReconciler-Allow-Prune: {going + (pair.approval is Approval.WRONG)}"
        repository.commit({}, trailer)
        review, alone, before = await review_of(w, base)
    result = await w.sync()
    cluster = w.new_cluster()
    try:
        after = await sight(w, cluster, (*KINDS, GroupKind(own(w, "GROUP.example.com"), "Lamp")))
        shown = await later(w, cluster, review) if alive else []
    finally:
        await cluster.close()
    wrong = shown + untruths(by_identity(review.effects.whole), before, after, result)
    wrong += false_alarms(review, before, after, result, w.sources["shop"].owner)
    wrong += other_values(review.effects.whole, done(result))
    assert not wrong, "\n".join(["beside the cluster:", *wrong, str(pair)])
    if (
        alive
        and pair.alone
        and applied_whole(first)
        and calm(before)
        and not refused_by_the_server(review.effects, alone.effects)
    ):
        wrong = disagreements(review.effects, alone.effects)
        wrong += other_values(alone.effects.merged, announced(review.effects.merged))
        assert not wrong, "\n".join(["beside the base alone:", *wrong, str(pair)])
    return {str(risk.code) for risk in review.risks} | {str(change.action) for change in review.effects.whole}


def test_what_is_announced_happens_and_nothing_else() -> None:
    seen: Counter[str] = Counter()

    @examples(50, quick=False)
    @given(pair=PAIRS)
    def tried(pair: Pair) -> None:
        @virtual
        async def scenario() -> None:
            async with world(controllers=True) as w:
                hook(w, deny)
                seen.update(await told_the_truth(w, pair, alive=True))

        scenario()

    tried()
    print(dict(sorted(seen.items())))  # noqa: T201 - for `pytest -s`: what the pairs were about


@examples(5, quick=False)
@given(pair=PAIRS)
def test_so_it_is_on_a_real_control_plane(kubernetes: KubernetesServer, pair: Pair) -> None:
    async def scenario() -> None:
        async with kubernetes.world() as w:
            await told_the_truth(w, pair, alive=False)

    kubernetes.run(scenario())
