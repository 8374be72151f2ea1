"""Rules among replicas, as one node and as all nodes see them."""

import numpy as np
from amount import examples
from generated_clusters import Question, questions
from hypothesis import given
from hypothesis import strategies as st

from reconciler.planner.grouping import group
from reconciler.planner.holdings import Holdings, standing
from reconciler.planner.intake import take_in
from reconciler.planner.keeping import own_pods
from reconciler.planner.topology import Topology

NONE = np.zeros(0, np.int64)


@examples(60)
@given(questions(), st.data())
def test_one_node_is_admitted_as_the_mask_says(question: Question, data: st.DataObject) -> None:
    intake = take_in(question.nodes, question.running, question.needs, question.pools)
    groups = group(intake)
    if not intake.nodes or not intake.needs:
        return
    _, others = own_pods(intake)
    holdings = Holdings(standing(NONE, NONE, NONE, len(intake.needs)))
    topology = Topology(intake.nodes, intake.needs, others, groups, holdings)
    workload, node = st.integers(0, len(intake.needs) - 1), st.integers(0, len(intake.nodes) - 1)
    for _ in range(data.draw(st.integers(0, 5))):
        where, who = data.draw(node), data.draw(workload)
        holdings.add(who, where, 1)
        topology.add(who, np.array([where]), np.array([1]))
    for number in range(len(intake.needs)):
        mask = topology.mask(number)
        whole = np.ones(len(intake.nodes), np.bool_) if mask is None else mask
        assert whole.tolist() == [topology.admits(number, index) for index in range(len(intake.nodes))]
