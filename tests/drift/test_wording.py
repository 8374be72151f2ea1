"""Drift in words."""

from datetime import UTC, datetime

import pytest

from reconciler.drift.wording import drifted_fields, found, others
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, Action, Change, FieldChange
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState
from reconciler.model.manifest import DriftMode

WEB = Identity("apps", "Deployment", "shop", "web")
KUBECTL = Author("kubectl-edit", "Update")
SCALER = Author("kube-controller-manager", "Update", subresource="scale")
REPLICAS = DriftedField("spec.replicas", 3, 5, (KUBECTL, SCALER))


def drift(kind: DriftKind, *fields: DriftedField) -> Drift:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    return Drift("shop", WEB, kind, time, DriftMode.HEAL, DriftState.FOUND, fields)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (
            DriftKind.EDITED,
            [REPLICAS],
            "edited: spec.replicas is 5, Git states 3 (by kubectl-edit, kube-controller-manager (scale))",
        ),
        (DriftKind.EDITED, [DriftedField("data.a", "1", ABSENT)], "edited: data.a is gone, Git states 1"),
        (DriftKind.EDITED, [DriftedField("data.a", ABSENT, "1")], "edited: data.a is 1, Git states nothing"),
        (
            DriftKind.TAKEN,
            [DriftedField("data.a", "1", "1", (KUBECTL,))],
            "taken: data.a is as Git states it, but no longer ours (by kubectl-edit)",
        ),
        (DriftKind.DELETED, [], "deleted"),
        (DriftKind.REPLACED, [], "replaced: another object has its name now"),
        (
            DriftKind.EDITED,
            [DriftedField(f"data.{name}", "1", "2") for name in "abcde"],
            "edited: data.a is 2, Git states 1; data.b is 2, Git states 1; data.c is 2, Git states 1; and 2 more",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(kind: DriftKind, fields: list[DriftedField], said: str) -> None:
    assert found(drift(kind, *fields)) == said


def test_a_long_value_is_cut_in_a_sentence_and_in_what_is_kept() -> None:
    change = Change(
        WEB,
        Action.UPDATE,
        "differs",
        (
            FieldChange("data.long", "x" * 5000, "y" * 5000),
            FieldChange("data.list", [{"name": "x" * 5000}], ["short"]),
            *(FieldChange(f"data.{number}", "1", "2") for number in range(100)),
        ),
    )
    fields = drifted_fields(change, None)
    assert len(fields) == 50
    assert [len(str(value)) for value in (fields[0].wanted, fields[0].found, fields[1].found)] == [1001, 1001, 1001]
    assert fields[1].wanted == ["short"]
    assert len(found(drift(DriftKind.EDITED, *fields))) < 1000


def test_who_is_on_the_other_side_is_named_once() -> None:
    fields = (REPLICAS, DriftedField("spec.paused", False, True, (KUBECTL,)))
    assert others(drift(DriftKind.EDITED, *fields)) == ("kubectl-edit", "kube-controller-manager (scale)")
