"""The example repository: what the tutorial promises, from the files to the objects."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.kube.names import Identity
from reconciler.kube.openapi import catalog
from reconciler.kube.validate import unknown_fields, validate
from reconciler.model.manifest import Manifests
from reconciler.source.directory import DirectorySource
from reconciler.specs.load import Loader

EXAMPLE = Path(__file__).parents[2] / "examples" / "repo"


@pytest.fixture
async def example(manifests: Any, request: pytest.FixtureRequest) -> Manifests:
    source = DirectorySource(EXAMPLE, request.param, "shop")
    snapshot = await source.snapshot()
    specs = await Loader().load(snapshot, source, namespace="default")
    assert [str(problem) for problem in specs.problems] == []
    made: Manifests = manifests(specs)
    assert [str(problem) for problem in made.problems] == []
    return made


def of(made: Manifests, group: str, kind: str, name: str) -> Any:
    return made.items[Identity(group, kind, "shop", name)]


layers = pytest.mark.parametrize("example", [("base",), ("base", "env/prod")], indirect=True)
production = pytest.mark.parametrize("example", [("base", "env/prod")], indirect=True)


@layers
def test_every_object_fits_kubernetes_schema(example: Manifests) -> None:
    for identity, manifest in example.items.items():
        schema = catalog().schema(manifest.gvk)
        assert catalog().knows(manifest.gvk), identity
        assert [str(v) for v in validate(manifest.object, schema)] == [], identity
        assert unknown_fields(manifest.object, schema) == [], identity


@layers
def test_everything_lives_in_the_shops_namespace(example: Manifests) -> None:
    assert {i.namespace for i in example.items} == {"", "shop"}
    assert [i for i in example.items if not i.namespace] == [Identity("", "Namespace", "", "shop")]


@production
def test_a_service_becomes_what_the_tutorial_says(example: Manifests) -> None:
    made = sorted(str(i) for i, m in example.items.items() if m.spec.name == "web")
    assert made[0].startswith("ConfigMap/shop/web-files-")
    assert made[1:] == ["Deployment/shop/web", "Ingress/shop/web", "PodDisruptionBudget/shop/web", "Service/shop/web"]


@production
def test_the_catalog_waits_for_its_migration_and_the_cart_for_redis(example: Manifests) -> None:
    (migration,) = of(example, "apps", "Deployment", "catalog").after
    assert (migration.kind, migration.name.rpartition("-")[0]) == ("Job", "migrate")
    assert of(example, "apps", "Deployment", "cart").after == (Identity("apps", "StatefulSet", "shop", "redis"),)


@production
def test_production_is_merged_over_base(example: Manifests) -> None:
    web = of(example, "apps", "Deployment", "web").object["spec"]
    env = {entry["name"]: entry["value"] for entry in web["template"]["spec"]["containers"][0]["env"]}
    assert web["replicas"] == 3
    assert env == {"CART_URL": "http://cart/", "CATALOG_URL": "http://catalog/", "LOG_FORMAT": "json"}


@production
def test_the_raw_stateful_set_gets_the_image_by_name(example: Manifests) -> None:
    pod = of(example, "apps", "StatefulSet", "redis").object["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].startswith("registry.example.com/mirror/redis@sha256:")


@layers
def test_a_server_takes_every_object_and_a_second_apply_changes_nothing(example: Manifests, server: Any) -> None:
    in_order = sorted(example.items.values(), key=lambda m: m.identity.kind != "Namespace")
    first, second = ([server.apply(manifest.object) for manifest in in_order] for _ in range(2))
    assert first == second
