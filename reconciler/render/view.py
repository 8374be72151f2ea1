"""What one document's rendering reads of its surroundings, besides the images that it names."""

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.filled import Record
from reconciler.model.shares import Portion


class View(NamedTuple):
    """Part of the key under which a rendering is cached."""

    scaled: bool = False  # an autoscaler of the source owns its number of replicas
    guarded: bool = False  # a PodDisruptionBudget of the source selects its pods
    record: Record | None = None  # what a plan filled in
    pool: Mapping[str, str] | None = None  # labels of the pool that it names, if there is such a pool
    portion: Portion | None = None  # of a workload with shares, the one that this is the view of
    parts: tuple["View", ...] = ()  # of a workload with shares: one for each pool
