"""What is known beside a repository when a merge is reviewed."""

from reconciler.cluster.cluster import Cluster
from reconciler.errors import ApiError
from reconciler.kube.names import GroupKind
from reconciler.model.cluster_view import NodeView
from reconciler.model.reading import node_view
from reconciler.model.snapshot import Revision
from reconciler.model.state import SourceState
from reconciler.source.repository import GitSource

_NODE = GroupKind("", "Node")


async def new_messages(git: GitSource, state: SourceState | None, base: Revision, head: Revision) -> tuple[str, ...]:
    """Messages of the commits that the pass after the merge would be the first to see. Raises SourceError."""
    applied = state.applied.commit if state is not None and state.applied else base.commit
    return await git.messages(applied, head.commit)


async def nodes_of(cluster: Cluster) -> list[NodeView] | None:
    """Those of the cluster; None where they may not be read."""
    try:
        return [node_view(live.object) for live in await cluster.list(_NODE)]
    except (ApiError, ValueError):
        return None
