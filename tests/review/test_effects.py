"""What a merge does beside a cluster that is not yet as its base says."""

from texts import config
from virtual import virtual
from world import world

from reconciler.engine.wanting import Wanting
from reconciler.model.change import Action
from reconciler.review.reviewer import Beside, Reviewer


@virtual
async def test_what_the_base_would_make_and_the_head_makes_otherwise_is_the_merges() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a")})
        repository.commit({"b.yaml": config("b"), "c.yaml": config("c")})
        base = (await repository.poll()).snapshot
        repository.commit({"b.yaml": config("b", "2")})
        head = (await repository.poll()).snapshot
        assert base is not None
        assert head is not None
        reconciler, cluster = w.sources["shop"], w.new_cluster()
        try:
            wanting = Wanting(reconciler.config, reconciler.owner, repository, scopes=cluster.discovery.scopes)
            reviewer = Reviewer(reconciler.config, reconciler.owner, wanting)
            found = await reviewer.review(base, head, head.revision, Beside(cluster=cluster, state=await w.state()))
        finally:
            await cluster.close()
    assert [(c.identity.name, c.action) for c in found.effects.merged] == [("b", Action.CREATE)]
    assert [(c.identity.name, c.action) for c in found.effects.anyway] == [("c", Action.CREATE)]
