"""What is known beside a repository when a merge is reviewed."""

from reconciler.cluster.cluster import Cluster
from reconciler.engine.surroundings import Repository
from reconciler.errors import ApiError
from reconciler.kube.kinds import NODE
from reconciler.model.cluster_view import NodeView
from reconciler.model.reading import node_view
from reconciler.model.state import SourceState


async def new_messages(git: Repository, state: SourceState | None, base: str, head: str) -> tuple[str, ...]:
    """Messages of the commits whose trailers the pass after the merge would count. Raises SourceError.

    `state` None: nothing but the commit `base` was ever applied.
    """
    since = state.approvals_since if state is not None else base
    return await git.messages(since, head) if since else ()


async def nodes_of(cluster: Cluster) -> list[NodeView] | None:
    """Those of the cluster; None where they may not be read."""
    try:
        return [node_view(live.object) for live in await cluster.list(NODE)]
    except (ApiError, ValueError):
        return None
