"""The store: any kept revision can be read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import GroupKind
from reconciler.sandbox.store import Entry, EventType, Expired, Store

KIND = GroupKind("", "ConfigMap")

writes = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from("xyz"), st.booleans()), max_size=20)


def write(store: Store, namespace: str, name: str, *, keep: bool) -> None:
    revision = store.next_revision()
    entry = Entry(namespace, name, "", revision, {}, str(revision).encode())
    if keep:
        store.put(KIND, entry)
    elif store.get(KIND, namespace, name):
        store.remove(KIND, entry)


@given(writes)
def test_every_revision_can_be_read_as_it_was(steps: list[tuple[str, str, bool]]) -> None:
    store = Store()
    seen = {}
    for namespace, name, keep in steps:
        write(store, namespace, name, keep=keep)
        seen[store.revision] = [(entry.key, entry.body) for entry in store.range(KIND)]
    for revision, expected in seen.items():
        assert [(entry.key, entry.body) for entry in store.range(KIND, revision=revision)] == expected


@given(writes)
def test_events_lead_from_any_revision_to_the_present(steps: list[tuple[str, str, bool]]) -> None:
    store = Store()
    for namespace, name, keep in steps:
        write(store, namespace, name, keep=keep)
    for revision in range(1, store.revision + 1):
        state = {entry.key: entry.body for entry in store.range(KIND, revision=revision)}
        for event in store.since(KIND, revision):
            if event.type is EventType.DELETED:
                del state[event.entry.key]
            else:
                state[event.entry.key] = event.entry.body
        assert state == {entry.key: entry.body for entry in store.range(KIND)}


@given(writes, st.integers(1, 5))
def test_what_is_forgotten_is_refused(steps: list[tuple[str, str, bool]], history: int) -> None:
    store = Store(history=history)
    for namespace, name, keep in steps:
        write(store, namespace, name, keep=keep)
    for revision in range(1, store.revision + 1):
        if store.revision - revision > history:
            with pytest.raises(Expired):
                store.since(KIND, revision)
        else:
            assert len(store.since(KIND, revision)) == store.revision - revision


def test_a_range_begins_after_a_key_and_ends_with_its_namespace() -> None:
    store = Store()
    for namespace in ("a", "a-b", "ab", "b"):
        for name in ("one", "one-more", "two"):
            write(store, namespace, name, keep=True)
    assert [entry.name for entry in store.range(KIND, "a")] == ["one", "one-more", "two"]
    assert [entry.key for entry in store.range(KIND, "a", after="a/one")] == ["a/one-more", "a/two"]
    assert [entry.key for entry in store.range(KIND, after="ab/two")] == ["b/one", "b/one-more", "b/two"]
