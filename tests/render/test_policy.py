"""How an object is to be treated."""

from typing import Any

import pytest

from reconciler.model.manifest import DriftMode, Policy

OBJECT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop, annotations: {%s}}
"""


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ("", Policy()),
        ('reconciler.dev/prune: "false"', Policy(prune=False)),
        ('reconciler.dev/prune: "true"', Policy()),
        ('reconciler.dev/replace: "true"', Policy(replace=True)),
        ('reconciler.dev/adopt: "true"', Policy(adopt=True)),
        ("reconciler.dev/drift: alert", Policy(drift=DriftMode.ALERT)),
        ('reconciler.dev/ignore: "/spec/replicas, /data/a~1b"', Policy(ignore=("/data/a~1b", "/spec/replicas"))),
    ],
)
def test_annotations_state_the_policy(good: Any, annotations: str, expected: Policy) -> None:
    assert good(OBJECT % annotations).manifest("ConfigMap/a").policy == expected


def test_the_sources_settings_hold_where_an_annotation_does_not_say_otherwise(specs: Any, manifests: Any) -> None:
    def policy(annotations: str) -> Policy:
        made = manifests(specs(OBJECT % annotations), adopt=True, drift=DriftMode.IGNORE)
        (manifest,) = made.items.values()
        found: Policy = manifest.policy
        return found

    assert policy("") == Policy(adopt=True, drift=DriftMode.IGNORE)
    assert policy('reconciler.dev/adopt: "false", reconciler.dev/drift: heal') == Policy()
