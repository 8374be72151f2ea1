"""How changes of one source are carried out: those of a pass, and those between two passes."""

import asyncio
from collections.abc import Callable, Mapping

from reconciler.engine.attendant import Attendant
from reconciler.engine.decide import Decider
from reconciler.engine.execute import Execution
from reconciler.engine.runs import Runs
from reconciler.engine.surroundings import Surroundings
from reconciler.engine.telling import Teller
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import Manifest, Owner
from reconciler.model.result import ObjectResult, Outcome

Items = Mapping[Identity, Manifest]


class Hands:
    """Makes what carries changes out, and has everybody told who must know of each."""

    def __init__(
        self,
        owner: Owner,
        surroundings: Surroundings,
        decider: Decider,
        runs: Runs,
        teller: Teller,
        attendant: Attendant,
    ) -> None:
        self._owner = owner
        self._with = surroundings
        self._decider = decider
        self._runs = runs
        self._tell = teller
        self._attendant = attendant

    def of_a_pass(self, items: Items, superseded: asyncio.Event, ended: Callable[[Identity], None]) -> Execution:
        """For the changes of one pass over `items`; `ended` is told each object whose change came to its end."""
        answers: dict[Identity, Live] = {}

        def finished(result: ObjectResult) -> None:
            ended(result.identity)
            self._tell.finished(result)
            self._attendant.made(result, answers.pop(result.identity, None), self._decider.left)

        def answered(live: Live) -> None:
            answers[live.identity] = live

        return self._execution(items, finished, answered, superseded, self._attendant.forces, self._with.wait_timeout)

    def between(
        self,
        items: Items,
        interrupted: asyncio.Event,
        finished: Callable[[ObjectResult], None],
        answered: Callable[[Live], None] = lambda _live: None,
    ) -> Execution:
        """For changes between two passes. What is missing then is not waited for."""

        def told(result: ObjectResult) -> None:
            if result.outcome is Outcome.DONE or result.action is Action.PRUNE:  # else it drifts on, and that is said
                self._tell.finished(result, healing=result.action is not Action.PRUNE)
            finished(result)

        return self._execution(items, told, answered, interrupted, lambda _change: True, 0.0)

    def _execution(
        self,
        items: Items,
        finished: Callable[[ObjectResult], None],
        answered: Callable[[Live], None],
        superseded: asyncio.Event,
        forced: Callable[[Change], bool],
        wait_timeout: float,
    ) -> Execution:
        def written(manifest: Manifest, live: Live) -> None:
            self._decider.written(manifest, live.resource_version)
            if manifest.once:
                self._runs.made(manifest.identity)
            answered(live)

        return Execution(
            self._with.cluster,
            items,
            self._owner,
            concurrency=self._with.concurrency,
            wait_timeout=wait_timeout,
            superseded=superseded,
            finished=finished,
            forced=forced,
            written=written,
            again=self._decider.again,
            failed=self._decider.undecided,
        )
