"""A Task that ran before and would run again: a migration, say."""

from collections.abc import Iterator

from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.review.risks.case import Case, risk


def find(case: Case) -> Iterator[Risk]:
    """Tasks of the base whose spec or image is another in the head: there is a Job for each (rule 16)."""
    ran = {manifest.spec for manifest in case.base.values() if manifest.once}  # a suspended one may have run before
    for manifest, before in case.touched():
        if manifest.once and not manifest.suspended and before is None and manifest.spec in ran:
            text = f"{manifest.spec} runs again: its spec or its image changed"
            yield risk(RiskCode.TASK_RUNS_AGAIN, manifest, text)
