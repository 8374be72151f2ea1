"""Label and field selectors, as the API reads them."""

import pytest

from reconciler.kube.selector import FieldSelector, LabelSelector

WEB = {"app": "web", "tier": "front", "weight": "7"}

MATCHES = {
    "": True,
    "app": True,
    "!app": False,
    "! old": True,
    "app=web": True,
    "app==web": True,
    "app = web , tier in (front, back)": True,
    "app!=web": False,
    "old!=web": True,
    "app in (api)": False,
    "app notin (api, db)": True,
    "old notin (x)": True,
    "old=": False,
    "weight>6": True,
    "weight < 7": False,
    "app>6": False,
    "in=web": False,
    "example.com/app!=x,app": True,
}


@pytest.mark.parametrize(("text", "matches"), MATCHES.items())
def test_text_selectors(text: str, matches: bool) -> None:
    assert LabelSelector.parse(text).matches(WEB) is matches


@pytest.mark.parametrize(
    "text",
    ["a b", "app=web,", ",app", "app in web", "=web", "!", "app=we b", "-app=x", "app in ()x", "a=b=c", "w>x"],
)
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        LabelSelector.parse(text)


def test_selectors_of_objects() -> None:
    selector = LabelSelector.of(
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}]}
    )
    assert selector.matches(WEB)
    assert not selector.matches({"app": "web", "tier": "back"})
    assert selector.matches({"app": "web"})


def test_an_empty_value_is_a_value() -> None:
    assert LabelSelector.parse("app=").matches({"app": ""})


def test_an_empty_selector_matches_everything_and_none_nothing() -> None:
    assert LabelSelector.of({}).matches({})
    assert not LabelSelector.of(None).matches(WEB)


def test_expressions_are_checked() -> None:
    for expression in (
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["x"]},
        {"key": "a", "operator": "Near"},
        {"operator": "Exists"},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            LabelSelector.of({"matchExpressions": [expression]})


def test_field_selectors() -> None:
    pod = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"nodeName": "n1", "hostNetwork": True}}
    assert FieldSelector.parse("metadata.name=web,spec.nodeName==n1").matches(pod)
    assert FieldSelector.parse("status.phase!=Running").matches(pod)
    assert FieldSelector.parse("status.phase=").matches(pod)
    assert FieldSelector.parse("spec.hostNetwork=true").matches(pod)
    assert not FieldSelector.parse("metadata.name=api").matches(pod)
    assert FieldSelector.parse("").matches(pod)
    assert FieldSelector.parse(r"metadata.name=a\,b").conditions == (("metadata.name", "a,b", True),)
    assert FieldSelector.parse("a=1,b!=2").paths == ("a", "b")
    for text in ("name", "=x"):
        with pytest.raises(ValueError, match="invalid field selector"):
            FieldSelector.parse(text)
