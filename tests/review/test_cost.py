"""What a review costs, counted: it follows the change, not the repository."""

from collections import Counter

from texts import config
from virtual import virtual
from world import World, world

from reconciler.engine.wanting import Wanting
from reconciler.model.snapshot import Snapshot
from reconciler.review.reviewer import Beside, Reviewer

FILES = {f"c{number:03}.yaml": config(f"c{number:03}") for number in range(300)}
CHANGES = {f"c{number:03}.yaml": config(f"c{number:03}", "2") for number in range(5)}


async def snapshot(w: World) -> Snapshot:
    found = (await w.repositories["shop"].poll()).snapshot
    assert found is not None
    return found


@virtual
async def test_a_few_lines_cost_a_few_requests_and_the_second_time_none() -> None:
    async with world() as w:
        repository = await w.started(FILES)
        base = await snapshot(w)
        repository.commit(CHANGES)
        head = await snapshot(w)
        reconciler, cluster = w.sources["shop"], w.new_cluster()
        try:
            await cluster.discovery.refresh()
            wanting = Wanting(reconciler.config, reconciler.owner, repository, scopes=cluster.discovery.scopes)
            reviewer = Reviewer(reconciler.config, reconciler.owner, wanting)
            beside = Beside(cluster=cluster, state=await w.state())
            first = await reviewer.review(base, head, head.revision, beside)
            sent: Counter[str] = Counter()
            for kind, count in cluster.requests.items():
                sent[kind.verb] += count
            assert len(first.effects.merged) == len(CHANGES)
            assert sent["apply"] == len(CHANGES), "a dry-run for each object that changes"
            assert sent["get"] + sent["list"] < 10
            assert first.wanted.specs.parsed == len(CHANGES), "what both revisions have is read once"
            assert first.wanted.manifests.rendered == len(CHANGES)
            before = cluster.requests.total()
            again = await reviewer.review(base, head, head.revision, beside)
            assert again.effects == first.effects
            assert cluster.requests.total() == before
        finally:
            await cluster.close()
