"""A planner that says what a test tells it to."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.filled import Draft, Filling, Record
from reconciler.model.usage import Usage


@dataclass
class StatedPlanning:
    """The same `record` for every document that leaves something open; None: it has nothing to say."""

    record: Record | None = None
    pools: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[frozenset[str]] = field(default_factory=list)

    async def advise(
        self,
        source: str,
        drafts: Mapping[Identity, Draft],
        recorded: Mapping[Identity, Record],
        made: Collection[Identity],
    ) -> Filling | None:
        self.asked.append(frozenset(identity.name for identity in drafts))
        if self.record is None:
            return None
        return {i: msgspec.structs.replace(self.record, asked=draft.hash) for i, draft in drafts.items()}


class NothingMeasured:
    """A cluster without metrics."""

    def plan_for(self, planned: Mapping[Identity, Identity]) -> None:
        """Nothing is asked for anybody."""

    def usage(self) -> Usage:
        return Usage()
