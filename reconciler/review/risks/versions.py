"""Objects in a version of their API that the server does not have, or no longer."""

from collections.abc import Iterator

from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.review.risks.case import Case, risk


def find(case: Case) -> Iterator[Risk]:
    """What is new or changed and would be refused for its apiVersion."""
    for manifest, _before in case.touched():
        if case.served(manifest.gvk) is False:
            yield risk(RiskCode.UNSERVED_VERSION, manifest, f"{manifest.gvk.api_version} is not served")
