"""docs/configuration.md against schemas/config.json and the code."""

import re

import msgspec
import pytest
import yaml

from reconciler.model.alerting import (
    AlertmanagerReceiver,
    AlertsConfig,
    HttpReceiver,
    MessageConfig,
    ReceiverConfig,
    Route,
    SlackReceiver,
)
from reconciler.model.config import (
    DaemonConfig,
    DriftRule,
    GitCredentials,
    GitLimits,
    MaintenanceWindow,
    PruneGuard,
    SourceConfig,
    StatusPage,
)
from reconciler.model.duration import seconds
from reconciler.model.forging import ForgeConfig, WebhookConfig
from reconciler.model.image import JobSettings, Registries, RegistryHost
from reconciler.model.imaging import BuildConfig, ImagesConfig, SignatureRule, WriteBackConfig
from reconciler.model.planner_config import (
    DefaultsConfig,
    EvictionsConfig,
    NodeTemplate,
    PlannerConfig,
    PoolConfig,
    PrometheusUsage,
    RepositoryLimits,
    UsageConfig,
)
from reconciler.specs.config import load_config
from reconciler.specs.schemas import schema

SOURCE = schema("config")["properties"]["sources"]["items"]["properties"]
IMAGES = schema("config")["properties"]["images"]["properties"]
ALERTS = schema("config")["properties"]["alerts"]["properties"]
RECEIVER = ALERTS["receivers"]["items"]["properties"]
PLANNER = schema("config")["properties"]["planner"]["properties"]
POOL = PLANNER["pools"]["items"]["properties"]
PARTS = {
    "The daemon": (2, schema("config")["properties"], DaemonConfig),
    "`statusPage`": (3, schema("config")["properties"]["statusPage"]["properties"], StatusPage),
    "`webhooks`": (3, schema("config")["properties"]["webhooks"]["items"]["properties"], WebhookConfig),
    "`forges`": (3, schema("config")["properties"]["forges"]["items"]["properties"], ForgeConfig),
    "A source": (2, SOURCE, SourceConfig),
    "`credentials`": (3, SOURCE["credentials"]["properties"], GitCredentials),
    "`limits`": (3, SOURCE["limits"]["properties"], GitLimits),
    "`guard`": (3, SOURCE["guard"]["properties"], PruneGuard),
    "`driftRules`": (3, SOURCE["driftRules"]["items"]["properties"], DriftRule),
    "`maintenance`": (3, SOURCE["maintenance"]["items"]["properties"], MaintenanceWindow),
    "Images": (2, IMAGES, ImagesConfig),
    "`registries`": (3, IMAGES["registries"]["properties"], Registries),
    "`hosts`": (3, IMAGES["registries"]["properties"]["hosts"]["items"]["properties"], RegistryHost),
    "`build`": (3, IMAGES["build"]["properties"], BuildConfig),
    "`job`": (3, IMAGES["build"]["properties"]["job"]["properties"], JobSettings),
    "`writeBack`": (3, IMAGES["writeBack"]["properties"], WriteBackConfig),
    "`signatures`": (3, IMAGES["signatures"]["items"]["properties"], SignatureRule),
    "Alerts": (2, ALERTS, AlertsConfig),
    "`receivers`": (3, RECEIVER, ReceiverConfig),
    "`slack`": (3, RECEIVER["slack"]["properties"], SlackReceiver),
    "`http`": (3, RECEIVER["http"]["properties"], HttpReceiver),
    "`alertmanager`": (3, RECEIVER["alertmanager"]["properties"], AlertmanagerReceiver),
    "`message`": (3, RECEIVER["message"]["properties"], MessageConfig),
    "`routes`": (3, ALERTS["routes"]["items"]["properties"], Route),
    "The planner": (2, PLANNER, PlannerConfig),
    "`repositories`": (3, PLANNER["repositories"]["properties"], RepositoryLimits),
    "`pools`": (3, POOL, PoolConfig),
    "`template`": (3, POOL["template"]["properties"], NodeTemplate),
    "`usage`": (3, PLANNER["usage"]["properties"], UsageConfig),
    "`prometheus`": (3, PLANNER["usage"]["properties"]["prometheus"]["properties"], PrometheusUsage),
    "`defaults`": (3, PLANNER["defaults"]["properties"], DefaultsConfig),
    "`evictions`": (3, PLANNER["evictions"]["properties"], EvictionsConfig),
}


def rows(text):
    return dict(re.findall(r"^\| `([A-Za-z]+)` \| (.+?) \|", text.split("\n### ")[0], re.MULTILINE))


@pytest.mark.parametrize("part", PARTS)
def test_every_field_is_documented_and_no_other(page, part):
    level, fields, _ = PARTS[part]
    assert list(rows(page("docs/configuration.md").sections(level)[part])) == list(fields)


@pytest.mark.parametrize("part", PARTS)
def test_defaults_are_those_of_the_code(page, part):
    level, _, struct = PARTS[part]
    shown = rows(page("docs/configuration.md").sections(level)[part])
    for field in msgspec.structs.fields(struct):
        stated = shown[field.encode_name].strip("`")
        if field.required:
            assert stated == "required"
        elif isinstance(field.default, float):
            assert (seconds(stated) if stated[-1].isalpha() else float(stated)) == field.default
        elif field.default in (None, msgspec.NODEFAULT) or isinstance(field.default, msgspec.Struct):
            assert stated == "—"
        elif isinstance(field.default, tuple):
            assert stated in ({",".join(field.default)} if field.default else {"all", "—"})
        elif isinstance(field.default, bool):
            assert stated == str(field.default).lower()
        else:
            assert stated == str(field.default)


def test_the_examples_are_taken(page):
    small, whole = page("docs/configuration.md").blocks("yaml")
    assert load_config(small, "small.yaml").sources[0].name == "shop"
    config = load_config(whole, "whole.yaml")
    assert (config.wait_timeout, config.sources[1].ref) == (600.0, "semver:>=1.0 <2")


def test_the_whole_example_states_every_field(page):
    whole = yaml.safe_load(page("docs/configuration.md").blocks("yaml")[1])
    assert set(whole) == set(PARTS["The daemon"][1])
    stated = {name for source in whole["sources"] for name in source}
    assert stated == set(SOURCE)
    assert set(whole["statusPage"]) == set(PARTS["`statusPage`"][1])
    for part in ("webhooks", "forges"):
        assert set(whole[part][0]) == set(PARTS[f"`{part}`"][1])
    for part in ("credentials", "limits", "guard"):
        assert {name for source in whole["sources"] for name in source.get(part, ())} == set(SOURCE[part]["properties"])
    images = whole["images"]
    assert set(images) == set(IMAGES)
    for part in ("registries", "build", "writeBack"):
        assert set(images[part]) == set(PARTS[f"`{part}`"][1])
    for part, stated in (("job", images["build"]["job"]), ("hosts", images["registries"]["hosts"][0])):
        assert set(stated) == set(PARTS[f"`{part}`"][1])
    assert set(images["signatures"][0]) == set(PARTS["`signatures`"][1])
    alerts = whole["alerts"]
    assert set(alerts) == set(ALERTS)
    assert {name for receiver in alerts["receivers"] for name in receiver} == set(RECEIVER)
    assert {name for route in alerts["routes"] for name in route} == set(PARTS["`routes`"][1])
    for part in ("slack", "http", "alertmanager", "message"):
        stated = {name for receiver in alerts["receivers"] for name in receiver.get(part, ())}
        assert stated == set(RECEIVER[part]["properties"])
    planner = whole["planner"]
    assert set(planner) == set(PLANNER)
    assert {name for pool in planner["pools"] for name in pool} == set(POOL)
    assert set(planner["pools"][1]["template"]) == set(POOL["template"]["properties"])
    assert set(planner["usage"]) == set(PLANNER["usage"]["properties"]) - {"kubernetes"}
    assert set(planner["usage"]["prometheus"]) == set(PARTS["`prometheus`"][1])
    for part in ("repositories", "defaults", "evictions"):
        assert set(planner[part]) == set(PLANNER[part]["properties"])
