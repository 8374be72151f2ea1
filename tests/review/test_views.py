"""A review as people and machines get it."""

import json
from pathlib import Path
from typing import Any

import pytest
from golden import checked
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from reviews import review_of
from texts import deployment, task
from virtual import virtual

from reconciler.model.config import PruneGuard
from reconciler.model.review_rules import RiskCode
from reconciler.redact import CHANGED
from reconciler.review.review import Review
from reconciler.review.views import json as json_view
from reconciler.review.views import markdown, sarif, text
from reconciler.review.views.summary import TITLES

SCHEMAS = Path(__file__).parents[2] / "schemas"
DOCS = Path(__file__).parents[2] / "docs"
GOLDEN = Path(__file__).parent / "golden"
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
ODD = """\
apiVersion: v1
kind: Service
metadata: {name: odd, namespace: shop}
spec: {selector: {app: odd}, ports: [{port: 80}], typ: x}
"""
BASE = {"web": deployment(extra="  replicas: 2\n"), "api": deployment("api"), "task": task(), "data": CLAIM}
HEAD = {
    "web": deployment(image="example.com/web:2", extra="  replicas: 3\n  dependsOn: [Task/migrate]\n"),
    "api": None,
    "task": task(image="example.com/web:2"),
    "data": None,
    "odd": ODD,
}


async def example() -> Review:
    return await review_of(BASE, HEAD, guard=PruneGuard())


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("review.txt", text.render),
        ("review.md", markdown.render),
        ("review.json", json_view.render),
        ("review.sarif", sarif.render),
    ],
)
def test_a_review_reads_so(name: str, view: Any) -> None:
    @virtual
    async def scenario() -> None:
        checked(GOLDEN / name, view(await example()))

    scenario()


@virtual
async def test_the_json_keeps_to_its_schema() -> None:
    common = json.loads((SCHEMAS / "common.json").read_text())
    schema = json.loads((SCHEMAS / "review.json").read_text())
    registry: Any = Registry().with_resource("common.json", Resource.from_contents(common))
    Draft202012Validator(schema, registry=registry).validate(json_view.document(await example()))


@virtual
async def test_sarif_names_every_rule_that_it_uses() -> None:
    """https://docs.oasis-open.org/sarif/sarif/v2.1.0/ 3.27.5: a ruleId is that of a rule of the driver."""
    run = sarif.document(await example())["runs"][0]
    assert {result["ruleId"] for result in run["results"]} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    places = [result["locations"][0]["physicalLocation"] for result in run["results"] if "locations" in result]
    assert places
    assert all(place["region"]["startLine"] >= 1 for place in places)


def test_every_code_has_a_title_and_a_paragraph() -> None:
    page = (DOCS / "review.md").read_text(encoding="utf-8")
    codes = json.loads((SCHEMAS / "common.json").read_text())["$defs"]["risk"]["enum"]
    assert [code.value for code in RiskCode] == codes == [str(code) for code in TITLES]
    assert all(f"| `{code}` |" in page for code in codes)


@pytest.mark.parametrize("limit", [65_000, 3_000])
def test_a_comment_is_never_longer_than_it_may_be_and_begins_with_the_danger(limit: int) -> None:
    @virtual
    async def scenario() -> None:
        many = {f"{number}": deployment(f"web-{number}") for number in range(400)}
        new = {f"n{number}": deployment(f"new-{number}") for number in range(400)}
        shown = markdown.render(await review_of(many, {**dict.fromkeys(many), **new}, guard=PruneGuard()), limit=limit)
        assert len(shown) <= limit
        assert shown.startswith("## Blocked by 400 dangers")
        assert "held-prune" in shown[:300]
        assert "Cut for length" in shown or "more" in shown

    scenario()


@virtual
async def test_no_secret_is_in_any_view() -> None:
    canary = "c4n4ry-9f2e"
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\nstringData: {key: %s}\n"
    reviews = [
        await review_of({"s": secret % f"{canary}-old"}, {"s": secret % f"{canary}-new"}),
        await review_of({}, {"s": secret % canary}),
        await review_of({"s": secret % canary}, {"s": None}),
        await review_of({"s": secret % canary}, {"s": (secret % canary).replace("stringData", "stringdata")}),
    ]
    assert [field.after for change in reviews[0].effects.merged for field in change.fields] == [CHANGED]
    for review in reviews:
        for view in (text.render, markdown.render, json_view.render, sarif.render):
            assert canary not in view(review)
