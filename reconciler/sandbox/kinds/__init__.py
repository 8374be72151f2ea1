"""What is particular to each kind, by area. A kind that is not named here follows the common rules."""

from collections.abc import Mapping
from typing import Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox.kinds import batch, config, crds, network, pods, policy, services, storage, workloads
from reconciler.sandbox.rules import Rules

RULES: Final[Mapping[GroupKind, Rules]] = {
    **batch.RULES,
    **config.RULES,
    **crds.RULES,
    **network.RULES,
    **pods.RULES,
    **policy.RULES,
    **services.RULES,
    **storage.RULES,
    **workloads.RULES,
}
