"""A planner that says what a test tells it to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from reconciler.engine.filling import Asking
from reconciler.model.filled import Filling, Record


@dataclass
class StatedPlanning:
    """The same `record` for every document that leaves something open; None: it has nothing to say."""

    record: Record | None = None
    pools: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[frozenset[str]] = field(default_factory=list)

    async def advise(self, source: str, asking: Asking) -> Filling | None:
        self.asked.append(frozenset(identity.name for identity in asking.drafts))
        if self.record is None:
            return None
        return {i: msgspec.structs.replace(self.record, asked=draft.hash) for i, draft in asking.drafts.items()}
