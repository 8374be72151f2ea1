"""The order of changes."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.graph import cycles, rank
from reconciler.kube.names import Identity


def node(name: str, kind: str = "ConfigMap") -> Identity:
    return Identity("", kind, "shop", name)


def test_namespaces_start_before_definitions_before_config_before_workloads() -> None:
    kinds = ["Namespace", "CustomResourceDefinition", "ServiceAccount", "ConfigMap", "Service", "Deployment"]
    ranks = [rank(node("x", kind)) for kind in kinds]
    assert ranks == sorted(set(ranks))


def test_a_cycle_is_named_in_order() -> None:
    a, b, c, d = map(node, "abcd")
    assert cycles({a: [b], b: [c], c: [a], d: [a]}) == [(a, b, c)]


def test_an_object_that_waits_for_itself_is_a_cycle() -> None:
    assert cycles({node("a"): [node("a")]}) == [(node("a"),)]


@given(st.sets(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda edge: edge[0] > edge[1])))
def test_edges_that_all_lead_down_make_no_cycle(edges: set[tuple[int, int]]) -> None:
    waits: dict[Identity, list[Identity]] = {node(str(i)): [] for i in range(31)}
    for upper, lower in edges:
        waits[node(str(upper))].append(node(str(lower)))
    assert cycles(waits) == []


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30))
def test_leaving_out_what_stands_in_a_cycle_leaves_no_cycle(edges: list[tuple[int, int]]) -> None:
    waits: dict[Identity, list[Identity]] = {node(str(i)): [] for i in range(9)}
    for one, other in edges:
        waits[node(str(one))].append(node(str(other)))
    while found := cycles(waits):
        looped = {identity for loop in found for identity in loop}
        for identity, others in waits.items():
            if identity in looped:
                for loop in found:
                    assert all(
                        later in waits[earlier] for earlier, later in zip(loop, (*loop[1:], loop[0]), strict=True)
                    )
                    break
            assert set(others) <= set(waits)
        waits = {i: [o for o in others if o not in looped] for i, others in waits.items() if i not in looped}
    assert cycles(waits) == []
