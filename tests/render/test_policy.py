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


@pytest.mark.parametrize(
    ("annotations", "message", "hint"),
    [
        ("reconciler.dev/prune: never", '"never" means nothing here', 'write "true" or "false"'),
        ("reconciler.dev/drift: shout", '"shout" means nothing here', "write one of heal, alert, ignore"),
        ("reconciler.dev/ignore: spec.x", '"spec.x" means nothing here', 'begins with "/"'),
        ('reconciler.dev/prun: "false"', "not an annotation of ours", "did you mean reconciler.dev/prune?"),
        ("reconciler.dev/colour: red", "not an annotation of ours", "known are reconciler.dev/adopt"),
    ],
)
def test_a_value_that_means_nothing_quarantines_the_document(
    render: Any, annotations: str, message: str, hint: str
) -> None:
    """Guessing could end in a deletion: `prune: never`."""
    found = render(OBJECT % annotations)
    (problem,) = found.problems
    assert message in problem.message
    assert hint in problem.hint
    assert found.names() == []
    assert found.manifests.unrendered == {problem.identity}
