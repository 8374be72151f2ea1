"""Documents that name pools where no configuration says which nodes these are."""

from collections.abc import Iterator

from reconciler.model.filled import Filling
from reconciler.model.planning import LABEL_POOL
from reconciler.model.problem import Problem, Severity
from reconciler.model.shares import portions
from reconciler.model.spec import DeploymentSpec, Document, Specs, TaskSpec
from reconciler.render.refusal import Refusal

_HINT = "name the pools in planner.pools of the configuration, or label the nodes"


def poolless(specs: Specs, filling: Filling | None = None) -> tuple[Problem, ...]:
    """A warning for each document that names a pool. With what is filled in: for those whose pods are where that once
    was, by a configuration that has lost its pools."""
    return tuple(
        Refusal("pool-unconfigured", f"spec.placement.{field}", said, hint=_HINT, severity=Severity.WARNING).problem(
            document
        )
        for document in specs.documents.values()
        for field, said in _said(document, filling)
    )


def _said(document: Document, filling: Filling | None) -> Iterator[tuple[str, str]]:
    """The field, and what is to be said of it."""
    spec = document.spec
    if not isinstance(spec, DeploymentSpec | TaskSpec) or spec.placement is None:
        return
    parts = portions(document.identity, spec) if isinstance(spec, DeploymentSpec) else ()
    named = {each.identity: each.pool for each in parts}
    if spec.placement.pool is not None:
        named = {document.identity: spec.placement.pool}
    if filling is not None:
        named = {i: pool for i, pool in named.items() if (record := filling.get(i)) is not None and record.pool}
    if not named:
        return
    labels = " or ".join(f"{LABEL_POOL}={pool}" for pool in sorted(named.values()))
    said = f"no pool is configured: its pods are for nodes with {labels}"
    if filling is not None:
        said = f"no pool is configured any more: its pods stay until its spec changes, then go to nodes with {labels}"
    yield "shares" if parts else "pool", said
