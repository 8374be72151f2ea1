"""From a revision to what it wants: read, its images looked up, what it leaves open filled in, rendered."""

import asyncio
from functools import partial

from reconciler.engine.filling import Filler
from reconciler.engine.images import Images
from reconciler.engine.surroundings import Desired, Repository, Surroundings
from reconciler.model.config import SourceConfig
from reconciler.model.filled import Filling
from reconciler.model.manifest import Owner
from reconciler.model.snapshot import Snapshot
from reconciler.render.render import Renderer
from reconciler.specs.load import Loader


class Wanting:
    """Of one source. What did not change since the last revision is not made again."""

    def __init__(
        self, config: SourceConfig, owner: Owner, repository: Repository, surroundings: Surroundings, images: Images
    ) -> None:
        self.loader = Loader()
        self._config = config
        self._repository = repository
        self._cluster = surroundings.cluster
        self._store = surroundings.store
        self._images = images
        self._filler = Filler(config, surroundings.cluster, surroundings.planning)
        self._render = partial(
            Renderer().render, owner=owner, adopt=config.adopt, drift=config.drift, drift_rules=config.drift_rules
        )

    @property
    def pending(self) -> Filling:
        """Newer advice of the planner, that waits for a change of its spec (rule 19)."""
        return self._filler.pending

    async def of(self, snapshot: Snapshot) -> Desired:
        """What the revision says, and the objects that it makes. Raises ReconcilerError where something is not to be
        read."""
        scopes = await self._cluster.discovery.scopes()
        specs = await self.loader.load(snapshot, self._repository, namespace=self._config.namespace, scopes=scopes)
        images = await self._images.of(snapshot, specs)
        made = (await self._store.load(self._config.name)).made
        filling = await self._filler.fill(specs, made, images.pinned)
        # Long where much is new: the loop has others to serve.
        manifests = await asyncio.to_thread(
            self._render, specs, filling, pools=self._filler.pools, images=images.pinned
        )
        return Desired(snapshot, specs, manifests, images)
