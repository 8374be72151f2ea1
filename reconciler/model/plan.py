"""What the planner decided. Until a spec leaves something to plan, a Plan is the identity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.kube.names import Identity


@dataclass(frozen=True, slots=True)
class Plan:
    """Decisions per workload spec. An empty Plan changes nothing: what was never stated stays Kubernetes' default."""

    replicas: Mapping[Identity, int] = field(default_factory=dict)
    requests: Mapping[Identity, Mapping[str, Any]] = field(default_factory=dict)
    why: Mapping[Identity, str] = field(default_factory=dict)


IDENTITY = Plan()
