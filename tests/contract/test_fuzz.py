"""Generated sequences of calls, made on both servers until they disagree (docs/testing.md says how to make more)."""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from amount import examples
from generated_calls import Pair, sequence
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kubernetes_api import Connection


@pytest.fixture(scope="module")
def pair(connection: Connection) -> Pair:
    return Pair(connection)


@pytest.fixture(scope="module")
def counted(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """What was tried; told at the end."""
    count: Counter[str] = Counter()
    yield count
    told = request.config.pluginmanager.get_plugin("terminalreporter")
    if told is not None:
        told.write_line(
            f"{count['sequences']} sequences of {count['calls']} calls, {count['disagreements']} disagreements; "
            f"{count['unanswered']} calls that the real server did not answer"
        )


# Hypothesis chooses only seeds: its own examples resemble each other, and `Pair` knows better what is small.
@settings(examples(20), suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**64 - 1))
def test_both_servers_answer_alike(pair: Pair, counted: Counter[str], seed: int) -> None:
    steps = sequence(Random(seed))
    answered: Counter[str] = Counter()
    disagreement = pair.play(steps, answered)
    unanswered = sum(count for answer, count in answered.items() if answer.endswith("unanswered"))
    counted.update(sequences=1, calls=answered.total(), disagreements=disagreement is not None, unanswered=unanswered)
    assert disagreement is None, str(pair.smallest(disagreement))
