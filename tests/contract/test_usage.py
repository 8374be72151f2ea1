"""Usage that nobody measures, as both servers say it."""

import pytest
from both_servers import on_both
from world import World

from reconciler.errors import QueryFailed
from reconciler.usage.kubernetes import measure


@on_both
async def test_a_cluster_without_a_metrics_server_is_told_as_such(w: World) -> None:
    with pytest.raises(QueryFailed) as caught:
        await measure(w.transport)
    assert caught.value.why == "there is no metrics-server"
