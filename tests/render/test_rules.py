"""Rules that treat many objects alike."""

import pytest

from reconciler.kube.names import Identity
from reconciler.model.config import DriftRule
from reconciler.model.manifest import ANNOTATION_DRIFT, DriftMode, Policy
from reconciler.model.rules import IgnoreRule
from reconciler.render.policy import Rules, ruled

WEB = Identity("apps", "Deployment", "shop", "web")
HEAL, ALERT, IGNORE = DriftMode.HEAL, DriftMode.ALERT, DriftMode.IGNORE
PATHS = ("base/web.yaml", "env/prod/web.yaml")  # the file, and one that is merged over it


def mode(*rules: DriftRule, source: DriftMode = HEAL, annotation: DriftMode | None = None, known: bool = True) -> str:
    annotations = {ANNOTATION_DRIFT: str(annotation)} if annotation else {}
    treated = Policy(drift=annotation or source)
    return ruled(treated, WEB, PATHS, annotations, Rules(rules, known=known)).drift


@pytest.mark.parametrize(
    "rule",
    [
        DriftRule(ALERT, paths=("base/*",)),
        DriftRule(ALERT, paths=("env/prod/*",)),
        DriftRule(ALERT, objects=("Deployment/shop/web",)),
        DriftRule(ALERT, objects=("*/shop/*",)),
        DriftRule(ALERT, objects=("Service/*/*", "Deployment/*/w*")),
        DriftRule(ALERT, paths=("*.yaml",), objects=("Deployment/*",)),
    ],
)
def test_a_rule_matches_by_file_and_by_object(rule: DriftRule) -> None:
    assert mode(rule) == ALERT


@pytest.mark.parametrize(
    "rule",
    [
        DriftRule(ALERT, paths=("prod/*",)),
        DriftRule(ALERT, objects=("deployment/shop/web",)),
        DriftRule(ALERT, objects=("Deployment/web",)),
        DriftRule(ALERT, paths=("base/*",), objects=("Service/*/*",)),
        DriftRule(ALERT, paths=("base/x*",), objects=("Deployment/*/*",)),
    ],
)
def test_both_have_to_match(rule: DriftRule) -> None:
    assert mode(rule) == HEAL


def test_the_first_rule_that_matches_counts() -> None:
    rules = (DriftRule(IGNORE, paths=("x/*",)), DriftRule(ALERT, paths=("base/*",)), DriftRule(IGNORE, paths=("*",)))
    assert mode(*rules) == ALERT


@pytest.mark.parametrize(
    ("rule", "annotation", "result"),
    [
        (ALERT, IGNORE, ALERT),
        (ALERT, HEAL, HEAL),
        (HEAL, ALERT, HEAL),
        (HEAL, IGNORE, HEAL),
        (IGNORE, ALERT, ALERT),
        (IGNORE, None, IGNORE),
        (None, IGNORE, IGNORE),
        (None, None, HEAL),
    ],
)
def test_a_repository_can_only_be_stricter_than_a_rule(
    rule: DriftMode | None, annotation: DriftMode | None, result: DriftMode
) -> None:
    rules = (DriftRule(rule, paths=("*",)),) if rule else ()
    assert mode(*rules, annotation=annotation) == result


@pytest.mark.parametrize("stated", [HEAL, ALERT, IGNORE])
def test_where_the_repositorys_rules_are_not_known_nothing_is_healed(stated: DriftMode) -> None:
    assert mode(source=stated, known=False) == (ALERT if stated is HEAL else stated)
    assert mode(DriftRule(stated, paths=("*",)), known=False) == (ALERT if stated is HEAL else stated)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (IgnoreRule(), True),
        (IgnoreRule(kind="Deployment"), True),
        (IgnoreRule(kind="Dep*", group="apps", namespace="sh?p", name="w[ea]b"), True),
        (IgnoreRule(group=""), False),
        (IgnoreRule(kind="deployment"), False),
        (IgnoreRule(kind="Deployment", name="api"), False),
        (IgnoreRule(namespace=""), False),
    ],
)
def test_a_rule_of_the_repository_matches_where_all_that_it_states_does(rule: IgnoreRule, matches: bool) -> None:
    assert rule.matches(WEB) == matches


def test_rules_add_to_what_the_object_says() -> None:
    rules = (
        IgnoreRule(kind="Deployment", fields=("/spec/replicas", "/spec/paused")),
        IgnoreRule(namespace="shop", managers=("keda-*",), fields=("/spec/replicas",)),
        IgnoreRule(name="api", fields=("/spec/minReadySeconds",), managers=("tuner",)),
    )
    policy = ruled(Policy(ignore=("/data",), prune=False), WEB, PATHS, {}, Rules(ignore=rules))
    assert policy.ignore == ("/data", "/spec/paused", "/spec/replicas")
    assert policy.managers == ("keda-*",)
    assert not policy.prune
