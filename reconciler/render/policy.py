"""How an object is to be treated, read from its annotations, whose values the specs room has found valid."""

from collections.abc import Mapping

from reconciler.model.manifest import (
    ANNOTATION_ADOPT,
    ANNOTATION_DRIFT,
    ANNOTATION_IGNORE,
    ANNOTATION_PRUNE,
    ANNOTATION_REPLACE,
    DriftMode,
    Policy,
)
from reconciler.model.reference import references


def policy(annotations: Mapping[str, str], *, adopt: bool, drift: DriftMode) -> Policy:
    """The policy that `annotations` state; `adopt` and `drift` are the source's settings, for what they leave open."""
    return Policy(
        prune=annotations.get(ANNOTATION_PRUNE) != "false",
        replace=annotations.get(ANNOTATION_REPLACE) == "true",
        adopt=annotations.get(ANNOTATION_ADOPT, "true" if adopt else "false") == "true",
        drift=DriftMode(annotations.get(ANNOTATION_DRIFT, drift)),
        ignore=tuple(sorted(set(references(annotations.get(ANNOTATION_IGNORE, ""))))),
    )
