"""What a review announces is what a merge does, and nothing else: planned, then applied for real."""

from amount import examples
from generated_repositories import REPOSITORIES
from hypothesis import given
from kubernetes_server import KubernetesServer
from virtual import virtual
from world import World, world

from reconciler.engine.filling import Filler
from reconciler.engine.preview import Previewer
from reconciler.engine.wanting import Wanting
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import PruneGuard
from reconciler.model.result import Outcome
from reconciler.review.effects import Effects, on_base, on_cluster

QUIET = (Action.NONE, Action.KEEP)


def announced(effects: Effects) -> dict[Identity, Action]:
    """By object. What could not be confirmed is created once what it needs is there."""
    actions = {change.identity: change.action for change in effects.merged if change.action not in QUIET}
    return {i: Action.CREATE if action is Action.UNCONFIRMED else action for i, action in actions.items()}


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


def apart_from_old_jobs(actions: dict[Identity, Action]) -> dict[Identity, Action]:
    """Whether a Job of the base is done, so that it may go and the next need not wait, only a cluster can tell: here
    nobody runs their pods."""
    old = (Action.HOLD, Action.PRUNE, Action.CREATE)
    return {i: action for i, action in actions.items() if not (i.kind == "Job" and action in old)}


async def told_the_truth(w: World, first: dict[str, str], second: dict[str, str]) -> None:
    """Both ways of reviewing, then the merge."""
    repository = w.source(guard=PruneGuard(1000, 100))
    repository.commit({"namespace.yaml": w.namespace(), **first})
    started = await w.sync()
    assert started.ok, {str(i): r.message for i, r in started.results.items() if r.outcome is not Outcome.DONE}
    reconciler = w.sources["shop"]
    base = reconciler.snapshot
    repository.commit({**dict.fromkeys(first), **second})
    head = (await repository.poll()).snapshot
    assert base is not None
    assert head is not None

    cluster = w.new_cluster()
    try:
        config, owner = reconciler.config, reconciler.owner
        await cluster.discovery.refresh()
        wanting = Wanting(config, owner, repository, scopes=cluster.discovery.scopes, fill=Filler(config, cluster).fill)
        before, after = await wanting.of(base), await wanting.of(head)
        state = await w.state()
        previewer = Previewer(cluster, config, owner)
        beside = await on_cluster(before, after, previewer=previewer, state=state)
        alone = on_base(before, after, config=config, owner=owner)
    finally:
        await cluster.close()

    result = await w.sync()
    assert result.ok, {str(i): r.message for i, r in result.results.items() if r.outcome is not Outcome.DONE}
    happened = {i: each.action for i, each in result.results.items() if each.action not in QUIET}
    assert announced(beside) == happened
    assert apart_from_old_jobs(announced(alone)) == apart_from_old_jobs(happened)
    paths = {c.identity: touched(c) for c in beside.merged if c.action is Action.UPDATE}
    for change in alone.merged:
        if change.action is Action.UPDATE:
            assert agree(touched(change), paths[change.identity])


@examples(50)
@given(first=REPOSITORIES, second=REPOSITORIES)
def test_what_is_announced_happens_and_nothing_else(first: dict[str, str], second: dict[str, str]) -> None:
    @virtual
    async def scenario() -> None:
        async with world() as w:
            await told_the_truth(w, first, second)

    scenario()


@examples(5)
@given(first=REPOSITORIES, second=REPOSITORIES)
def test_so_it_is_on_a_real_control_plane(
    kubernetes: KubernetesServer, first: dict[str, str], second: dict[str, str]
) -> None:
    async def scenario() -> None:
        async with kubernetes.world() as w:
            await told_the_truth(w, first, second)

    kubernetes.run(scenario())
