"""From a revision to what it wants: read, its images looked up, what it leaves open filled in, rendered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from reconciler.engine.images import AsStated, Images
from reconciler.engine.surroundings import Desired
from reconciler.kube.names import GroupKind
from reconciler.model.config import SourceConfig
from reconciler.model.filled import NOTHING, Filling
from reconciler.model.image import Pinned
from reconciler.model.manifest import Owner
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.snapshot import Blobs, Snapshot
from reconciler.model.spec import Specs
from reconciler.render.poolless import poolless
from reconciler.render.render import Renderer
from reconciler.render.surroundings import Pools
from reconciler.specs.load import Loader

logger = logging.getLogger(__name__)

Scopes = Callable[[], Awaitable[Mapping[GroupKind, bool]]]
"""Which kinds are served, and whether they are namespaced."""
Fill = Callable[[Specs, Pinned | None], Awaitable[Filling]]
"""What is filled in where specs leave something open; the images are those that are pinned."""


async def _unknown() -> Mapping[GroupKind, bool]:
    return {}


async def _nothing(_specs: Specs, _images: Pinned | None) -> Filling:
    return NOTHING


class Wanting:
    """Of one source. What did not change since the last revision is not made again.

    Without `scopes`, `fill` and `images` it is as if there were no cluster, no planner and no registry. `planner` has
    the limits of what specs may say of how to weigh.
    """

    def __init__(
        self,
        config: SourceConfig,
        owner: Owner,
        repository: Blobs,
        *,
        scopes: Scopes = _unknown,
        fill: Fill = _nothing,
        pools: Pools | None = None,
        images: Images | None = None,
        planner: PlannerConfig | None = None,
    ) -> None:
        self.loader = Loader(planner=planner)
        self._config = config
        self._repository = repository
        self._scopes = scopes
        self._fill = fill
        self._images = images or AsStated()
        self._pools = pools or {}
        self._said: frozenset[str] = frozenset()  # of documents whose pool is configured no more
        self._render = partial(
            Renderer().render,
            owner=owner,
            adopt=config.adopt,
            drift=config.drift,
            drift_rules=config.drift_rules,
            pools=self._pools,
        )

    async def read(self, snapshot: Snapshot) -> Specs:
        """What the revision says. Raises ReconcilerError where something cannot be read."""
        return await self.loader.load(
            snapshot, self._repository, namespace=self._config.namespace, scopes=await self._scopes()
        )

    async def of(self, snapshot: Snapshot) -> Desired:
        """What the revision says, and the objects that it makes. Raises ReconcilerError where something cannot be
        read."""
        specs = await self.read(snapshot)
        images = await self._images.of(snapshot, specs)
        filling = await self._fill(specs, images.pinned)
        # Long where much is new: the loop has others to serve.
        manifests = await asyncio.to_thread(self._render, specs, filling, images=images.pinned)
        lost = () if self._pools else poolless(specs, filling)
        said = frozenset(f"{problem}; {problem.hint}" for problem in lost)
        for text in sorted(said - self._said):
            logger.warning("%s", text)
        self._said = said
        return Desired(snapshot, specs, manifests, images, filling, lost)
