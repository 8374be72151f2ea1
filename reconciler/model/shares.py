"""Pods in exact shares over pools: one Deployment of Kubernetes for each pool, and how many pods each of them has."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm
from typing import Final

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.spec import GROUP, DeploymentSpec, Scale

WHOLE: Final = 100  # percent


def apportioned(total: int, shares: Mapping[str, int]) -> dict[str, int]:
    """`total` pods by pool, for `shares` in percent that add up to 100.

    The quota method of Balinski and Young (1975): each number is the exact share rounded down or up, and with one pod
    more in all one pool has one more and none has fewer. Largest remainders can take a pod away then, and divisor
    methods such as Webster's can leave the exact share by more than one. Of equal claims the larger share's comes
    first, then by name.
    """
    rounds, rest = divmod(total, WHOLE)  # after each hundred pods all shares are exact, and it begins anew
    extra = dict.fromkeys(shares, 0)
    exact = lcm(*shares.values())  # to compare quotients without fractions
    for placed in range(1, rest + 1):
        below = [pool for pool, share in shares.items() if extra[pool] * WHOLE < placed * share]
        extra[min(below, key=lambda pool: ((extra[pool] + 1) * (exact // shares[pool]), -shares[pool], pool))] += 1
    return {pool: rounds * share + extra[pool] for pool, share in sorted(shares.items())}


@dataclass(frozen=True, slots=True)
class Portion:
    """The part of a Deployment document that runs in one pool. `shares` are all of its pools, in percent."""

    document: Identity
    pool: str
    shares: Mapping[str, int]

    @property
    def percent(self) -> int:
        return self.shares[self.pool]

    @property
    def parts(self) -> tuple["Portion", ...]:
        """All of the document, this one too."""
        return tuple(Portion(self.document, pool, self.shares) for pool in sorted(self.shares))

    @property
    def identity(self) -> Identity:
        """Under which it is planned, and what its object is named after: "Deployment/shop/web-spot"."""
        return Identity(GROUP, "Deployment", self.document.namespace, part_name(self.document.name, self.pool))

    def of(self, total: int) -> int:
        """How many of `total` pods are here."""
        return apportioned(total, self.shares)[self.pool]

    def scale(self, whole: Scale) -> Scale:
        """The bounds of the autoscaler here: shares of the `whole`'s. One of Kubernetes keeps one pod at least."""
        return msgspec.structs.replace(whole, min=max(1, self.of(whole.min)), max=self.of(whole.max))


def part_name(document: str, pool: str) -> str:
    """Of the Deployment of Kubernetes that a document makes for a pool."""
    return f"{document}-{pool}"


def percentages(stated: Mapping[str, str]) -> dict[str, int]:
    """`placement.shares` as numbers: "30%" is 30."""
    return {pool: int(share.removesuffix("%")) for pool, share in stated.items()}


def portions(document: Identity, spec: DeploymentSpec) -> tuple[Portion, ...]:
    """The parts of a document, by pool; none where it states no shares."""
    shares = percentages(spec.placement.shares) if spec.placement is not None else {}
    return Portion(document, "", shares).parts
