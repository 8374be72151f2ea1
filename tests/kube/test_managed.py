"""Reading and comparing managedFields."""

from typing import Any

import pytest

from reconciler.kube.fieldset import EMPTY, FieldSet
from reconciler.kube.managed import Owner, owned_by, owners, read, unchanged, write


def entry(manager: str = "us", operation: str = "Apply", **other: Any) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        **other,
    }


def obj(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "web", "managedFields": list(entries)}}


def test_owned_by_asks_for_manager_operation_and_subresource() -> None:
    stored = obj(
        entry(), entry(operation="Update", fieldsV1={"f:a": {}}), entry(subresource="status", fieldsV1={"f:b": {}})
    )
    assert owned_by(stored, "us") == FieldSet.from_v1({"f:spec": {"f:replicas": {}}})
    assert owned_by(stored, "us", operation="Update") == FieldSet.from_v1({"f:a": {}})
    assert owned_by(stored, "us", subresource="status") == FieldSet.from_v1({"f:b": {}})
    assert owned_by(stored, "them") == EMPTY
    assert owned_by({}, "us") == EMPTY


def test_an_updater_has_an_entry_for_each_version() -> None:
    one, two = entry(operation="Update"), entry(operation="Update", apiVersion="apps/v2", fieldsV1={"f:x": {}})
    assert len(read(obj(one, two))) == 2
    assert owned_by(obj(one, two), "us", operation="Update") == FieldSet.from_v1(
        {"f:spec": {"f:replicas": {}}, "f:x": {}}
    )
    assert owners(obj(one)) == (Owner("us", "Update", "", "apps/v1"),)


def test_written_in_the_order_of_the_api_server() -> None:
    stored = [
        entry("b", time="2026-01-01T00:00:00Z"),
        entry("a", time="2026-01-02T00:00:00Z"),
        entry("z", "Update", time="2026-01-01T00:00:00Z"),
    ]
    assert write(read(obj(*reversed(stored)))) == stored


@pytest.mark.parametrize("wrong", [{"operation": "Guess"}, {"apiVersion": ""}, {"fieldsType": "FieldsV2"}])
def test_malformed_entries_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="managedFields"):
        read(obj(entry(**wrong)))


def test_a_write_that_only_moves_a_time_does_nothing() -> None:
    assert unchanged(obj(entry()), obj(entry(time="2027-01-01T00:00:00Z")))
    assert not unchanged(obj(entry()), obj(entry(fieldsV1={})))
    assert not unchanged(obj(entry()), {**obj(entry()), "spec": {}})
