"""What is written into every object, and nowhere else."""

import json
from dataclasses import replace
from typing import Any

from reconciler.model.spec import Origin

WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {app.kubernetes.io/managed-by: Helm, app.kubernetes.io/name: mine, team: a}
  annotations: {reconciler.dev/prune: "false", reconciler.dev/id: stolen, note: x}
spec: {image: "registry.example.com/web:1", expose: [{port: 80, host: a.example.com}], replicas: 2}
"""


def test_rule_1_every_object_says_whose_it_is(good: Any) -> None:
    for identity, manifest in good(WEB).manifests.items.items():
        metadata = manifest.object["metadata"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "reconciler"
        assert metadata["labels"]["reconciler.dev/source"] == "shop"
        assert metadata["annotations"]["reconciler.dev/id"] == f"install-1/shop/{'/'.join(identity)}"
        assert metadata["annotations"]["reconciler.dev/spec"] == "Deployment/shop/web"


def test_user_labels_win_where_nothing_depends_on_them(good: Any) -> None:
    labels = good(WEB).object("Deployment/web")["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "mine"
    assert labels["team"] == "a"


def test_policy_annotations_reach_every_object_others_only_the_main_one(good: Any) -> None:
    """`prune: "false"` is read from the live object once the document has gone."""
    made = good(WEB)
    for manifest in made.manifests.items.values():
        assert manifest.object["metadata"]["annotations"]["reconciler.dev/prune"] == "false"
        assert not manifest.policy.prune
    assert made.object("Deployment/web")["metadata"]["annotations"]["note"] == "x"
    assert "note" not in made.object("Ingress/web")["metadata"]["annotations"]


def test_rule_7_marks_never_reach_a_pod_template_or_a_selector(good: Any) -> None:
    text = json.dumps(good(WEB).spec("Deployment/web"))
    for mark in ("managed-by", "reconciler.dev/source", "reconciler.dev/id", "reconciler.dev/origin"):
        assert mark not in text


def test_rule_7_the_origin_names_path_and_text_never_line_or_revision(good: Any) -> None:
    origin = good(WEB).object("Deployment/web")["metadata"]["annotations"]["reconciler.dev/origin"]
    path, _, text_hash = origin.partition("#")
    assert path == "shop.yaml"
    assert len(text_hash) == 16


def test_rule_7_a_comment_changes_the_annotation_and_not_the_digest(specs: Any, manifests: Any) -> None:
    old = specs(WEB)
    (identity, document), *_ = old.documents.items()
    moved = replace(document, origin=Origin("shop.yaml", 9, "f" * 16))
    before = manifests(old).items
    after = manifests(replace(old, documents={identity: moved})).items
    for each, manifest in after.items():
        assert manifest.object != before[each].object
        assert manifest.digest == before[each].digest
        assert manifest.origin.line == 9


def test_a_file_that_moved_is_another_origin_and_another_digest(specs: Any, manifests: Any) -> None:
    old, new = (manifests(specs(WEB, path=path)).items for path in ("a.yaml", "b.yaml"))
    assert all(old[i].digest != new[i].digest for i in old)
