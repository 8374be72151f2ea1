"""What one document's rendering reads of its surroundings, besides the images that it names."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class View(NamedTuple):
    """Part of the key under which a rendering is cached."""

    scaled: bool = False  # an autoscaler of the source owns its number of replicas
    guarded: bool = False  # a PodDisruptionBudget of the source selects its pods
    replicas: int | None = None  # planned
    requests: Mapping[str, Any] | None = None  # planned
