"""Reviews of two revisions that are given as files."""

from collections.abc import Mapping

from memory_repository import MemoryRepository

from reconciler.engine.wanting import Wanting
from reconciler.model.config import PruneGuard, SourceConfig
from reconciler.model.manifest import Owner
from reconciler.review.review import Review
from reconciler.review.reviewer import Beside, Reviewer

SHOP = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


async def review_of(
    base: Mapping[str, str | None],
    head: Mapping[str, str | None],
    beside: Beside | None = None,
    *,
    guard: PruneGuard = PruneGuard(1000, 100),  # noqa: B008 - immutable
) -> Review:
    """Of the files `base`, and what the changes `head` make of them, beside nothing but the base."""
    repository = MemoryRepository("shop")
    config = SourceConfig(name="shop", url="/srv/shop", namespace="shop", guard=guard)
    owner = Owner("test", "shop")
    repository.commit({"namespace.yaml": SHOP, **_files(base)}, "Base")
    before = (await repository.poll()).snapshot
    repository.commit(_files(head), "Head")
    after = (await repository.poll()).snapshot
    assert before is not None
    assert after is not None
    reviewer = Reviewer(config, owner, Wanting(config, owner, repository))
    return await reviewer.review(before, after, after.revision, beside or Beside())


def _files(named: Mapping[str, str | None]) -> dict[str, str | None]:
    """A name may leave out its ending."""
    return {name if name.endswith(".yaml") else f"{name}.yaml": text for name, text in named.items()}
