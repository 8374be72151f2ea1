"""What a pod asks for, as whole numbers."""

import pytest

from reconciler.kube.pod_requests import amount


@pytest.mark.parametrize(
    ("resource", "quantity", "whole"),
    [
        ("cpu", "100m", 100),
        ("cpu", "0.0001", 1),
        ("memory", "1Ki", 1024),
        ("memory", "9223372036854775807", 2**63 - 1),
        ("cpu", "1e400", 2**63 - 1),
        ("memory", "16Ei", 2**63 - 1),
    ],
)
def test_amounts_are_rounded_up_and_end_where_the_scheduler_ends(resource: str, quantity: str, whole: int) -> None:
    assert amount(resource, quantity) == whole
