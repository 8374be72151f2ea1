"""A quota that a real API server goes by."""

import json
from collections.abc import Mapping
from typing import Any

from world import World

from reconciler.http.transport import Request


async def in_force(w: World, name: str, path: str, body: Mapping[str, Any]) -> None:
    """Wait until `body`, which is more than the quota lets in, would be refused for it.

    Its status says only that a controller has counted. Admission has its own watch, and hears of that later.
    """
    content = {"content-type": "application/json"}
    trial = Request("POST", path, (("dryRun", "All"),), content, json.dumps(body).encode())

    async def refused() -> bool:
        answer = await w.transport.send(trial)
        return answer.status == 403 and f"exceeded quota: {name}," in answer.body.decode()

    await w.until(refused)
