"""The planner of the daemon's configuration, and what a repository says to it."""

import pytest

from reconciler.model.planner_config import (
    EvictionsConfig,
    KubernetesUsage,
    NodeTemplate,
    PlannerConfig,
    PlannerSettings,
    PoolConfig,
    PrometheusUsage,
    RepositoryLimits,
    TaintConfig,
    UsageConfig,
    WeightRange,
)
from reconciler.model.planning_policy import PROFILES, TermName
from reconciler.specs.config import ConfigRefused, load_config
from reconciler.specs.load import Loader
from reconciler.specs.schemas import schema

SOURCES = "sources: [{name: shop, url: /srv/shop}]\n"


def planner(text: str) -> PlannerConfig | None:
    return load_config(f"{SOURCES}planner: {text}\n", "c.yaml").planner


def test_without_it_nothing_is_planned() -> None:
    assert load_config(SOURCES, "c.yaml").planner is None


def test_with_it_everything_has_a_default() -> None:
    assert planner("{}") == PlannerConfig()


def test_everything_stated() -> None:
    found = planner(
        """
  profile: cost
  weights: {cost: 2, spread: 0}
  repositories: {profiles: [balanced], weights: {cost: {max: 3}}}
  pools:
  - name: general
    nodeSelector: {interval: 5m}
    price: 0.2
    limits: {cpu: 400, memory: 1600Gi}
  - name: spot
    nodeSelector: {pool: spot}
    spot: true
    template: {allocatable: {cpu: 7500m, pods: 100}, labels: {timeout: 5m}, taints: [{key: a, effect: NoSchedule}]}
    growth: 5
  quotas: {shop: {cpu: "100"}}
  usage: {kubernetes: {}, interval: 2m}
  headroom: 0.3
  defaults: {requests: {cpu: 100m}}
  evictions: {perCycle: 3}
  maxReplicas: 7
  podStart: 2m
"""
    )
    template = NodeTemplate({"cpu": "7500m", "pods": 100}, {"timeout": "5m"}, (TaintConfig("a", "NoSchedule"),))
    assert found is not None
    assert (found.profile, found.weights) == ("cost", {"cost": 2, "spread": 0})
    assert found.repositories == RepositoryLimits(("balanced",), {"cost": WeightRange(max=3)})
    assert found.pools == (
        PoolConfig("general", {"interval": "5m"}, 0.2, limits={"cpu": 400, "memory": "1600Gi"}),
        PoolConfig("spot", {"pool": "spot"}, spot=True, template=template, growth=5),
    )
    assert found.usage == UsageConfig(kubernetes=KubernetesUsage(), interval=120)
    assert (found.quotas, found.defaults.requests) == ({"shop": {"cpu": "100"}}, {"cpu": "100m"})
    assert (found.headroom, found.evictions) == (0.3, EvictionsConfig(3))
    assert (found.max_replicas, found.pod_start) == (7, 120)


def test_prometheus() -> None:
    found = planner("{usage: {prometheus: {url: 'https://p.example.com/prefix', tokenFile: /t}}}")
    assert found is not None
    assert found.usage == UsageConfig(prometheus=PrometheusUsage("https://p.example.com/prefix", "/t"))


def test_the_schema_knows_the_terms_and_profiles_of_the_planner() -> None:
    defs = schema("common")["$defs"]
    assert set(defs["term"]["enum"]) == set(TermName)
    assert defs["profile"]["enum"] == list(PROFILES)


POOL = "{name: a, nodeSelector: {p: a}%s}"


def pools(*more: str) -> str:
    return "{pools: [" + ", ".join(POOL % text for text in more) + "]}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{profile: cheap}", 'c.yaml:2:20: planner.profile: "cheap" is not one of balanced, cost, resilient'),
        ("{weights: {costs: 1}}", 'planner.weights.costs: "costs" is not one of fit, balance,'),
        ("{weights: {cost: -1}}", "planner.weights.cost: -1 is less than 0"),
        ("{weights: {cost: 1001}}", "planner.weights.cost: 1001 is more than 1000"),
        ("{weights: {cost: .nan}}", "c.yaml:2:27: .nan is not a JSON value"),
        ("{weights: {cost: much}}", 'planner.weights.cost: "much" is not a number'),
        ("{repositories: {profiles: [mine]}}", 'planner.repositories.profiles[0]: "mine" is not one of'),
        (
            "{repositories: {weights: {cost: {min: 2, max: 1}}}}",
            "planner.repositories.weights.cost.min: the least, 2, is more than the most, 1",
        ),
        (pools(", price: -1"), "planner.pools[0].price: -1 is less than 0"),
        (pools("", ""), 'planner.pools[1].name: "a" is the name of planner.pools[0] already'),
        (pools(", growth: 1"), 'planner.pools[0].growth: needs the field "template" beside it'),
        (pools(", limits: {cpu: lots}"), 'planner.pools[0].limits.cpu: "lots" is not a quantity such as'),
        (pools(", limits: {cpu: 1e9999}"), "planner.pools[0].limits.cpu: "),
        (pools(", limits: {cpu: 0}"), "planner.pools[0].limits.cpu: a limit of 0 lets nothing in"),
        (pools(", limits: {cpu: 0m}"), "planner.pools[0].limits.cpu: a limit of 0 lets nothing in"),
        (
            pools(", limits: {nvidia.com/gpu: 1}"),
            "pools[0].limits[nvidia.com/gpu]: nvidia.com/gpu is not counted",
        ),
        (
            pools(", template: {allocatable: {cpu: 1}, labels: {p: b}}"),
            'planner.pools[0].template.labels.p: the pool\'s nodeSelector says "a"',
        ),
        (
            "{pools: [{name: a, nodeSelector: {p: a}}, {name: b, nodeSelector: {p: a, q: b}}]}",
            "planner.pools[1].nodeSelector: each of its nodes is one of planner.pools[0]",
        ),
        (
            "{pools: [{name: a, nodeSelector: {}}]}",
            "pools[0].nodeSelector: a mapping is not at least one label",
        ),
        ("{quotas: {shop: {pods: 3}}}", "planner.quotas.shop.pods: pods is not counted here"),
        ("{quotas: {Shop: {cpu: 3}}}", 'planner.quotas.Shop: "Shop" is not a DNS label'),
        ("{usage: {interval: 1m}}", "planner.usage: usage is measured by exactly one of kubernetes and prometheus"),
        ("{usage: {kubernetes: {}, prometheus: {url: 'http://p'}}}", "planner.usage: usage is measured by exactly one"),
        ("{usage: {kubernetes: {}, interval: 5s}}", "planner.usage.interval: 5s is not between 10 seconds and an hour"),
        ("{usage: {kubernetes: {}, interval: 5}}", "planner.usage.interval: 5 is less than 10"),
        ("{usage: {prometheus: {url: 'https://u:p@x'}}}", "planner.usage.prometheus.url: the value is not an http"),
        ("{headroom: -1}", "planner.headroom: -1 is less than 0"),
        ("{defaults: {requests: {pods: 1}}}", 'planner.defaults.requests.pods: unknown field "pods"'),
        ("{evictions: 3}", "planner.evictions: 3 is not a mapping"),
        ("{maxReplicas: 0}", "planner.maxReplicas: 0 is less than 1"),
        ("{podStart: 2h}", "planner.podStart: 2h is not between 1 second and an hour"),
        ("{podStart: 0}", "planner.podStart: 0 is less than 1"),
        ("{pool: []}", 'planner.pool: unknown field "pool"'),
    ],
)
def test_refusals(text: str, said: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        planner(text)
    assert said in str(caught.value)


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(ConfigRefused) as caught:
        planner("{weights: {costs: 1}}")
    assert caught.value.hint == "did you mean cost?"


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ConfigRefused) as caught:
        planner("{usage: {prometheus: {url: 'https://u:hunter2@x'}}}")
    assert "hunter2" not in "\n".join(caught.value.diagnostics())


def test_a_repository_states_its_wishes(load) -> None:
    specs = load({"reconciler.yaml": "planner: {profile: cost, weights: {spread: 0.1}}\n"})
    assert specs.planner == PlannerSettings("cost", {"spread": 0.1})
    assert not specs.problems


def test_of_several_files_the_later_path_wins_term_by_term(load) -> None:
    specs = load(
        {
            "reconciler.yaml": "planner: {profile: resilient, weights: {cost: 9}}\n",
            "base/reconciler.yaml": "planner: {profile: cost, weights: {spread: 0.1, fit: 1}}\n",
            "a-prod/reconciler.yaml": "planner: {weights: {fit: 2}}\n",
        },
        paths=("base", "a-prod"),
    )
    assert specs.planner == PlannerSettings("cost", {"cost": 9, "spread": 0.1, "fit": 2})


def test_a_wish_that_breaks_counts_as_it_was(load) -> None:
    loader = Loader()
    load({"reconciler.yaml": "planner: {profile: cost}\n"}, loader=loader)
    assert load({"reconciler.yaml": "planner: {profile: best}\n"}, loader=loader).planner == PlannerSettings("cost")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("planner: {profile: cheap}\n", 'reconciler.yaml:1:20: planner.profile: "cheap" is not one of balanced'),
        ("planner: {weights: {costs: 1}}\n", 'planner.weights.costs: "costs" is not one of'),
        ("planner: {weights: {cost: 2000}}\n", "planner.weights.cost: 2000 is more than 1000"),
        ("planner: {pools: []}\n", 'planner.pools: unknown field "pools"'),
    ],
)
def test_a_bad_wish_is_said_with_its_line(load, text: str, said: str) -> None:
    (problem,) = load({"reconciler.yaml": text}).problems
    assert said in str(problem)
