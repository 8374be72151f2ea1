"""What specs say of how to weigh is kept within the limits of the daemon's planner."""

import pytest

from reconciler.model.planner_config import PlannerConfig, PlannerSettings, RepositoryLimits, WeightRange
from reconciler.model.problem import Severity
from reconciler.specs.load import Loader

PLANNER = PlannerConfig(
    "resilient", repositories=RepositoryLimits(("cost",), {"cost": WeightRange(0.1, 0.5), "fit": WeightRange()})
)
SPEC = """\
apiVersion: reconciler.dev/v1
kind: {kind}
metadata: {{name: web}}
spec:
  image: example.com/web:1
  planner: {planner}
"""
HINT = "planner.repositories of the daemon's configuration has the limits: stay within them, or have it widened"


def spec(planner: str, kind: str = "Deployment") -> str:
    return SPEC.format(kind=kind, planner=planner)


@pytest.mark.parametrize("kind", ["Deployment", "Task"])
@pytest.mark.parametrize(
    ("planner", "said"),
    [
        (
            "{profile: balanced}",
            "6:22: {kind}/web spec.planner.profile: profile balanced is not among planner.repositories.profiles of",
        ),
        (
            "{weights: {spread: 0.1}}",
            "6:31: {kind}/web spec.planner.weights.spread: the weight of spread is not among planner.repositories",
        ),
        (
            "{weights: {cost: 0.7}}",
            "6:29: {kind}/web spec.planner.weights.cost: the weight of cost is 0.7, and the daemon's configuration",
        ),
        ("{weights: {cost: 0}}", "6:29: {kind}/web spec.planner.weights.cost: the weight of cost is 0, and"),
    ],
)
def test_what_is_beyond_is_an_error_with_its_place(load, kind: str, planner: str, said: str) -> None:
    specs = load(spec(planner, kind), loader=Loader(planner=PLANNER))
    (problem,) = specs.problems
    assert str(problem).startswith(f"a.yaml:{said.format(kind=kind)}")
    assert (problem.code, problem.severity, problem.hint) == ("beyond-limits", Severity.ERROR, HINT)
    assert not specs.documents
    assert len(specs.quarantined) == 1


def test_all_of_it_is_said_at_once(load) -> None:
    specs = load(spec("{profile: balanced, weights: {cost: 9, zone: 1, fit: 1000}}"), loader=Loader(planner=PLANNER))
    assert len(specs.problems) == 3


@pytest.mark.parametrize(
    "planner", ["{}", "{profile: cost}", "{profile: resilient}", "{weights: {cost: 0.5, fit: 1000}}"]
)
def test_what_is_within_is_used(load, planner: str) -> None:
    specs = load(spec(planner), loader=Loader(planner=PLANNER))
    assert not specs.problems
    assert len(specs.documents) == 1


def test_without_a_planner_nobody_says_what_is_too_much(load) -> None:
    (document,) = load(spec("{profile: balanced, weights: {cost: 9}}")).documents.values()
    assert document.spec.planner == PlannerSettings("balanced", {"cost": 9})  # type: ignore[union-attr]


def test_an_overlay_is_told_where_it_says_so(load) -> None:
    names = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: web}\n"
    over = f"{names}spec: {{planner: {{weights: {{cost: 1}}}}}}\n"
    files = {"base/web.yaml": spec("{weights: {fit: 2}}"), "prod/web.yaml": over}
    (problem,) = load(files, paths=("base", "prod"), loader=Loader(planner=PLANNER)).problems
    assert str(problem.location) == "prod/web.yaml:4:34"


def test_a_repository_is_warned_and_counts_as_far_as_it_may(load) -> None:
    text = "planner: {profile: balanced, weights: {cost: 0.7, spread: 1}}\n"
    specs = load({"reconciler.yaml": text}, loader=Loader(planner=PLANNER))
    assert [problem.severity for problem in specs.problems] == [Severity.WARNING] * 3
    said = "planner.weights.cost: the weight of cost is 0.7, and the daemon's configuration lets it be from 0.1 to 0.5"
    assert f"reconciler.yaml:1:46: warning: {said}; it counts as 0.5" in map(str, specs.problems)
    assert specs.planner == PlannerSettings("balanced", {"cost": 0.7, "spread": 1}), "the daemon's planner sees to that"
