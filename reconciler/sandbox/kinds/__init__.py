"""What is particular to each kind, by area. A kind that is not named here follows the common rules."""

from collections.abc import Mapping
from typing import Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox.kinds import (
    autoscaling,
    config,
    crds,
    cronjobs,
    jobs,
    network,
    pods,
    policy,
    rbac,
    services,
    storage,
    workloads,
)
from reconciler.sandbox.rules import Rules

RULES: Final[Mapping[GroupKind, Rules]] = {
    **autoscaling.RULES,
    **config.RULES,
    **crds.RULES,
    **cronjobs.RULES,
    **jobs.RULES,
    **network.RULES,
    **pods.RULES,
    **policy.RULES,
    **rbac.RULES,
    **services.RULES,
    **storage.RULES,
    **workloads.RULES,
}
