"""What a preview says of what a pass is about to do."""

from world import World

from reconciler.engine.preview import preview
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change


async def foretold(w: World) -> dict[Identity, Change]:
    """What a preview of the newest commit says, by object."""
    reconciler = w.sources["shop"]
    poll = await w.repositories["shop"].poll()
    assert poll.snapshot is not None
    desired = await reconciler.wanted(poll.snapshot)
    state = await w.store.load("shop")
    changes = await preview(
        poll.snapshot,
        desired.specs,
        desired.manifests,
        cluster=w.cluster,
        config=reconciler.config,
        owner=reconciler.owner,
        state=state,
    )
    return {change.identity: change for change in changes if change.action not in (Action.NONE, Action.KEEP)}
