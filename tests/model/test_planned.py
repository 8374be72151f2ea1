"""A plan as JSON: what was written is read, what is too much is cut, what matters most stays."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from reconciler.model.planned import (
    VERSION,
    PlacedShare,
    PlannedCluster,
    PlannedWorkload,
    ShownCandidate,
    ShownChoice,
    Waiting,
    WeighedTerm,
    read,
    text_of,
)

TIME = datetime(2026, 3, 1, tzinfo=UTC)
TERMS = (WeighedTerm("f", "fit", 0.1, 0.3), WeighedTerm("h", "slack", 1.0, 0.2))


def workload(name: str, *, lacks: bool = False) -> PlannedWorkload:
    chosen = ShownCandidate(sum(term.contribution for term in TERMS), TERMS, pool="general", zone="a")
    return PlannedWorkload(
        f"Deployment/shop/{name}",
        "apps",
        "Deployment",
        "shop",
        name,
        source="shop",
        replicas=2,
        places=(PlacedShare(2, "general", "a"),),
        choices=(ShownChoice(chosen, chosen),),
        unplaced=Waiting(1, "size", "it is too large", "ask for less") if lacks else None,
    )


def plan(*workloads: PlannedWorkload) -> PlannedCluster:
    return PlannedCluster(VERSION, TIME, "daemon-1", gap=0.25, workloads=workloads)


def test_what_was_written_is_read() -> None:
    made = plan(workload("web"), workload("cart", lacks=True))
    found = read(text_of(made))
    assert found == made
    assert (found.unplaced, found.pending) == (1, 0)
    assert found.of(made.workloads[1].identity) == made.workloads[1]
    assert found.workloads[0].choices[0].chosen.score == sum(t.contribution for t in TERMS)


def test_its_names_are_those_of_the_documentation() -> None:
    body = json.loads(text_of(plan(workload("web", lacks=True))))
    assert list(body) == ["gap", "holder", "made", "version", "workloads"], "what is empty is left out"
    (web,) = body["workloads"]
    assert web["choices"][0]["runnerUp"]["terms"] == [["f", "fit", 0.1, 0.3], ["h", "slack", 1.0, 0.2]]
    assert web["unplaced"] == {"constraint": "size", "fix": "ask for less", "reason": "it is too large", "replicas": 1}


def test_a_newer_release_may_add_fields_and_another_version_is_refused() -> None:
    body = json.loads(text_of(plan(workload("web"))))
    body["tomorrow"] = body["workloads"][0]["tomorrow"] = {"more": 1}
    assert read(json.dumps(body)) == plan(workload("web"))
    for text in ("", "[]", json.dumps({**body, "version": 2}), json.dumps({**body, "workloads": 3})):
        with pytest.raises(ValueError, match=r"."):
            read(text)


def test_terms_go_first_then_workloads_and_those_without_a_place_last() -> None:
    many = plan(*(workload(f"w{n:03}", lacks=n % 50 == 49) for n in range(200)))
    whole = len(text_of(many))
    shortened = text_of(many, whole - 1)
    assert len(shortened) < whole
    found = read(shortened)
    assert (found.shortened, found.left_out, len(found.workloads)) == (True, 0, 200)
    assert not any(each.choices for each in found.workloads)
    few = text_of(many, 10_000)
    assert len(few) <= 10_000
    found = read(few)
    assert found.left_out == 200 - len(found.workloads) > 0
    assert found.unplaced == many.unplaced == 4
    assert [each.name for each in found.workloads] == sorted(each.name for each in found.workloads)


def test_the_same_decisions_are_the_same_plan_whoever_made_them_when() -> None:
    one = plan(workload("web"))
    later = msgspec.structs.replace(one, made=datetime(2027, 1, 1, tzinfo=UTC), holder="other", seconds=9.0)
    assert one.same(later)
    assert not one.same(plan(workload("web", lacks=True)))
