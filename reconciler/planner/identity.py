"""Specs → Plan. Pure."""

from reconciler.model.plan import IDENTITY, Plan
from reconciler.model.spec import Specs


def plan(specs: Specs) -> Plan:  # noqa: ARG001 - a planner reads the specs; this one has nothing to decide
    """The identity: nothing is decided for anybody.

    What a spec states is rendered as stated; what it never stated is left to Kubernetes' default; what it no longer
    states keeps its live value (rule 6). So a Plan never changes an object by itself.
    """
    return IDENTITY
