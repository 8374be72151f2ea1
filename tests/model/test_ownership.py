"""Who owns a live object."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.manifest import Owner
from reconciler.model.ownership import Mark, Ownership, origin_path, owner_of, ownership

OURS = Owner("install-1", "shop")
WEB = Identity("apps", "Deployment", "shop", "web")
APPLIED = {
    "manager": "reconciler",
    "operation": "Apply",
    "apiVersion": "apps/v1",
    "fieldsType": "FieldsV1",
    "fieldsV1": {},
}


def live(identity: Identity = WEB, *, mark: str | None = None, managers: Any = (APPLIED,), owners: Any = ()) -> Live:
    annotations = {} if mark is None else {"reconciler.dev/id": mark}
    metadata = {"name": identity.name, "annotations": annotations, "managedFields": list(managers)}
    if owners:
        metadata["ownerReferences"] = list(owners)
    return Live(identity, {"metadata": metadata})


def test_rule_1_an_object_is_ours_by_annotation_manager_and_no_controller() -> None:
    assert ownership(live(mark=OURS.id_of(WEB)), OURS) is Ownership.OURS


def test_rule_1_copied_marks_do_not_make_an_object_ours() -> None:
    endpoints = Identity("", "Endpoints", "shop", "web")
    service = Identity("", "Service", "shop", "web")
    assert ownership(live(endpoints, mark=OURS.id_of(service)), OURS) is Ownership.COPY


def test_rule_1_labels_alone_say_nothing() -> None:
    labelled = Live(WEB, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "reconciler"}}})
    assert ownership(labelled, OURS) is Ownership.FOREIGN


@pytest.mark.parametrize(
    "managers",
    [
        (),
        ({**APPLIED, "manager": "kubectl"},),
        ({**APPLIED, "operation": "Update"},),
        ({**APPLIED, "subresource": "status"},),
        ({**APPLIED, "manager": "reconciler-planner"},),
    ],
)
def test_rule_1_without_our_field_manager_it_is_a_copy(managers: Any) -> None:
    assert ownership(live(mark=OURS.id_of(WEB), managers=managers), OURS) is Ownership.COPY


def test_rule_1_what_a_controller_owns_is_not_ours() -> None:
    marked = OURS.id_of(WEB)
    assert ownership(live(mark=marked, owners=[{"kind": "X", "controller": True}]), OURS) is Ownership.COPY
    assert ownership(live(mark=marked, owners=[{"kind": "X"}]), OURS) is Ownership.OURS  # owned, not controlled


def test_rule_2_another_source_and_another_install_are_told_apart() -> None:
    assert ownership(live(mark=Owner("install-1", "blog").id_of(WEB)), OURS) is Ownership.OTHER_SOURCE
    assert ownership(live(mark=Owner("install-2", "shop").id_of(WEB)), OURS) is Ownership.OTHER_INSTALL


@pytest.mark.parametrize("mark", ["", "nonsense", "a/b/c", "//////", "install-1/shop/apps/Deployment/shop/"])
def test_a_mark_that_cannot_be_read_is_not_believed(mark: str) -> None:
    assert ownership(live(mark=mark), OURS) is Ownership.COPY
    assert owner_of(live(mark=mark)) is None


def test_rule_1_the_install_is_recovered_from_an_owned_object() -> None:
    assert owner_of(live(mark=Owner("install-7", "blog").id_of(WEB))) == Owner("install-7", "blog")
    assert owner_of(live(mark=Owner("install-7", "blog").id_of(WEB), managers=())) is None
    assert owner_of(live()) is None


def test_metadata_that_holds_nulls_is_read() -> None:
    empty = Live(WEB, {"metadata": {"annotations": None, "managedFields": None, "ownerReferences": None}})
    assert ownership(empty, OURS) is Ownership.FOREIGN


def test_origin_path() -> None:
    assert (
        origin_path(Live(WEB, {"metadata": {"annotations": {"reconciler.dev/origin": "a/b#c.yaml#0123"}}}))
        == "a/b#c.yaml"
    )
    assert origin_path(live()) == ""


name = st.text("abcdefgh-.:", min_size=1, max_size=12)


@given(name, name, st.builds(Identity, st.one_of(st.just(""), name), name, st.one_of(st.just(""), name), name))
def test_every_mark_reads_back(install: str, source: str, identity: Identity) -> None:
    owner = Owner(install, source)
    assert Mark.parse(owner.id_of(identity)) == (owner, identity)
