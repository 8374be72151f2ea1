"""schemas/ and the typed structs agree, and an editor can complete every field."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from reconciler.model import alerting, config, forging, image, imaging, planner_config, review_rules, rules, spec
from reconciler.specs import later
from reconciler.specs.schemas import KINDS, acceptor, resolved, schema, structure, validator

Node = Mapping[str, Any]

STRUCTS = [
    ("Image", "spec", spec.ImageSpec),
    ("Image", "spec.follow", image.Follow),
    ("Image", "spec.build", image.Build),
    ("Deployment", "spec", spec.DeploymentSpec),
    ("Deployment", "spec.expose[]", spec.Expose),
    ("Deployment", "spec.rollout", spec.Rollout),
    ("Deployment", "spec.placement", spec.Placement),
    ("Deployment", "spec.planner", planner_config.PlannerSettings),
    ("Deployment", "spec.scale", spec.Scale),
    ("Task", "spec", spec.TaskSpec),
    ("Task", "spec.keep", spec.Keep),
    ("Task", "spec.placement", spec.Placement),
    ("Task", "spec.planner", planner_config.PlannerSettings),
    ("config", "", config.DaemonConfig),
    ("config", "statusPage", config.StatusPage),
    ("config", "webhooks[]", forging.WebhookConfig),
    ("config", "forges[]", forging.ForgeConfig),
    ("config", "alerts", alerting.AlertsConfig),
    ("config", "alerts.receivers[]", alerting.ReceiverConfig),
    ("config", "alerts.receivers[].slack", alerting.SlackReceiver),
    ("config", "alerts.receivers[].http", alerting.HttpReceiver),
    ("config", "alerts.receivers[].alertmanager", alerting.AlertmanagerReceiver),
    ("config", "alerts.receivers[].kubernetes", alerting.KubernetesReceiver),
    ("config", "alerts.receivers[].log", alerting.LogReceiver),
    ("config", "alerts.receivers[].message", alerting.MessageConfig),
    ("config", "alerts.routes[]", alerting.Route),
    ("config", "planner", planner_config.PlannerConfig),
    ("config", "planner.repositories", planner_config.RepositoryLimits),
    ("config", "planner.repositories.weights{}", planner_config.WeightRange),
    ("config", "planner.pools[]", planner_config.PoolConfig),
    ("config", "planner.pools[].template", planner_config.NodeTemplate),
    ("config", "planner.pools[].template.taints[]", planner_config.TaintConfig),
    ("config", "planner.usage", planner_config.UsageConfig),
    ("config", "planner.usage.kubernetes", planner_config.KubernetesUsage),
    ("config", "planner.usage.prometheus", planner_config.PrometheusUsage),
    ("config", "planner.defaults", planner_config.DefaultsConfig),
    ("config", "planner.evictions", planner_config.EvictionsConfig),
    ("repository", "planner", planner_config.PlannerSettings),
    ("config", "images", imaging.ImagesConfig),
    ("config", "images.registries", image.Registries),
    ("config", "images.registries.hosts[]", image.RegistryHost),
    ("config", "images.build", imaging.BuildConfig),
    ("config", "images.build.job", image.JobSettings),
    ("config", "images.writeBack", imaging.WriteBackConfig),
    ("config", "images.signatures[]", imaging.SignatureRule),
    ("config", "sources[]", config.SourceConfig),
    ("repository", "", rules.RepositorySettings),
    ("repository", "review", review_rules.ReviewRules),
    ("repository", "ignore[]", rules.IgnoreRule),
    ("config", "sources[].driftRules[]", config.DriftRule),
    ("config", "sources[].maintenance[]", config.MaintenanceWindow),
    ("config", "sources[].credentials", config.GitCredentials),
    ("config", "sources[].limits", config.GitLimits),
    ("config", "sources[].guard", config.PruneGuard),
]


def at(kind: str, path: str) -> Node:
    node, document = resolved(schema(kind), schema(kind))
    for step in path.split(".") if path else ():
        node, document = resolved(node["properties"][step.rstrip("[]{}")], document)
        if step[-1] in "]}":
            node, document = resolved(node["items" if step[-1] == "]" else "additionalProperties"], document)
    return node


def properties(kind: str) -> Iterator[tuple[str, Node]]:
    """Every property of a schema, with its path."""

    def walk(node: Node, document: Node, path: str) -> Iterator[tuple[str, Node]]:
        node, document = resolved(node, document)
        for name, child in node.get("properties", {}).items():
            full, inner = resolved(child, document)
            yield f"{path}.{name}".lstrip("."), full
            yield from walk(full, inner, f"{path}.{name}")
        if isinstance(node.get("items"), dict):
            yield from walk(node["items"], document, f"{path}[]")

    yield from walk(schema(kind), schema(kind), "")


EVERYTHING = [(kind, path, node) for kind in (*KINDS, "config", "repository") for path, node in properties(kind)]


@pytest.mark.parametrize(("kind", "path", "struct"), STRUCTS)
def test_structs_and_schemas_have_the_same_fields(kind: str, path: str, struct: type[msgspec.Struct]) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    node = at(kind, path)
    assert node["properties"].keys() == fields.keys()
    assert set(node.get("required", ())) == {name for name, field in fields.items() if field.required}
    assert node["additionalProperties"] is False


def test_every_struct_is_compared() -> None:
    bases = {spec.ObjectSpec}
    found = {
        struct
        for module in (spec, config, alerting, forging, image, imaging, planner_config, rules)
        for name, struct in vars(module).items()
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct) and not name.startswith("_")
    }
    assert found - bases == {struct for _, _, struct in STRUCTS}


@pytest.mark.parametrize(("kind", "path", "node"), EVERYTHING, ids=[f"{kind}:{path}" for kind, path, _ in EVERYTHING])
def test_every_property_is_described_by_example(kind: str, path: str, node: Node) -> None:
    assert re.fullmatch(r"[A-Z0-9/].{8,}\.", node["description"]), "a sentence"
    assert node["examples"]
    for example in node["examples"]:
        assert validator(kind).evolve(schema=_inlined(node, schema("common"))).is_valid(example), example


def _inlined(node: Any, document: Node) -> Any:
    """A node that stands alone: `examples` are checked against it."""
    if isinstance(node, list):
        return [_inlined(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    node, document = resolved(node, document)
    return {key: value if key == "examples" else _inlined(value, document) for key, value in node.items()}


def test_every_pattern_has_words_for_a_refusal() -> None:
    def walk(node: Any) -> Iterator[Node]:
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                yield node
            yield from itertools.chain.from_iterable(walk(child) for child in node.values())
        elif isinstance(node, list):
            yield from itertools.chain.from_iterable(walk(child) for child in node)

    for kind in (*KINDS, "config", "repository", "common"):
        assert all("x-is" in node for node in walk(schema(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_of_kubernetes_exist(kind: str) -> None:
    fields = structure(kind).fields["spec"].fields
    assert fields.keys() == at(kind, "spec")["properties"].keys()
    if kind != "Image":
        assert fields["readinessProbe"].fields["httpGet"].fields["port"].type == "int-or-string"
        assert fields["volumes"].merge_key == "name"
        volume = fields["volumes"].element
        assert volume is not None
        assert {"emptyDir", "configMap", "claim", "mountPath"} <= volume.fields.keys()
        assert "containers" in fields["template"].fields["spec"].fields


@pytest.mark.parametrize("kind", [*KINDS, "config", "repository"])
def test_fields_of_later_versions_are_not_in_the_schema(kind: str) -> None:
    known = {path for path, _ in properties(kind)}
    assert not known & set(later.FIELDS[kind])
    for path in later.FIELDS[kind]:
        parent = path.rpartition(".")[0]
        assert not parent or parent.removesuffix("[]") in known


@pytest.mark.parametrize("kind", KINDS)
def test_both_validators_agree_on_the_examples(kind: str) -> None:
    document = {
        "apiVersion": "reconciler.dev/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": at(kind, "spec")["examples"][0],
    }
    assert acceptor(kind)(document)
    assert validator(kind).is_valid(document)
    assert not acceptor(kind)({**document, "spec": {}})


def test_schemas_name_no_host_but_examples() -> None:
    for kind in (*KINDS, "config", "repository", "common"):
        hosts = re.findall(r"//([a-z0-9.-]+)", str(schema(kind)))
        assert set(hosts) <= {
            "json-schema.org",
            "git.example.com",
            "alertmanager.example.com",
            "prometheus.example.com",
        }
