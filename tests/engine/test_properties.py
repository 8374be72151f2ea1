"""Whatever the specs: what is applied is what Git states, a second look finds nothing, a preview tells the truth."""

from amount import examples
from foretelling import foretold
from generated_repositories import REPOSITORIES
from hypothesis import given
from hypothesis import strategies as st
from stated_planning import StatedPlanning
from texts import NAMESPACE
from virtual import virtual
from world import world

from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import PruneGuard
from reconciler.model.filled import Preference, Record
from reconciler.model.result import Outcome, SyncResult

NO_ANSWER = Record("")
PLANNED = Record("any", (Preference(60, {"pool": "general"}, ("a",)),), ("zone",), {"cpu": "250m"}, 2)


def happened(result: SyncResult) -> dict[Identity, Action]:
    return {
        identity: each.action
        for identity, each in result.results.items()
        if each.action not in (Action.NONE, Action.KEEP)
    }


def told(changes: dict[Identity, Change]) -> dict[Identity, Action]:
    """An unconfirmed object is created once what it needs is there."""
    actions = {identity: change.action for identity, change in changes.items()}
    return {i: Action.CREATE if a is Action.UNCONFIRMED else a for i, a in actions.items()}


@examples(25)
@given(first=REPOSITORIES, second=REPOSITORIES, planned=st.sampled_from([None, NO_ANSWER, PLANNED]))
def test_any_two_commits_are_applied_as_foretold_and_a_second_look_finds_nothing(
    first: dict[str, str], second: dict[str, str], planned: Record | None
) -> None:
    @virtual
    async def scenario() -> None:
        async with world() as w:
            w.planning = None if planned is None else StatedPlanning(planned if planned.asked else None)
            repository = w.source(guard=PruneGuard(1000, 100))
            repository.commit({"namespace.yaml": NAMESPACE, **first})
            before = await foretold(w)
            result = await w.sync()
            assert result.ok, {str(i): r.message for i, r in result.results.items() if r.outcome is not Outcome.DONE}
            assert happened(result) == told(before)

            repository.commit({**dict.fromkeys(first), **second})
            announced = await foretold(w)
            result = await w.sync()
            assert result.ok, {str(i): r.message for i, r in result.results.items() if r.outcome is not Outcome.DONE}
            assert happened(result) == told(announced)

            await w.restart()
            left = await foretold(w)  # Jobs wait for those of the first commit: nobody runs their pods here
            assert {i for i, change in left.items() if (i.kind, change.action) != ("Job", Action.HOLD)} == set()

    scenario()
