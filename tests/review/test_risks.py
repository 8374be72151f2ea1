"""Each danger is found, and what is none is not taken for one."""

import json
from collections.abc import Mapping

import pytest
from reviews import review_of
from texts import deployment, task
from virtual import virtual

from reconciler.model.change import Action
from reconciler.model.cluster_view import NodeView, Resources
from reconciler.model.config import PruneGuard
from reconciler.model.review import Verdict
from reconciler.model.review_rules import RiskCode
from reconciler.review.reviewer import Beside

GI = 2**30
LOOSE = PruneGuard(1000, 100)
BOB = ", {kind: User, name: bob}"
FREE = "hostNetwork: true"
NODES = (NodeView("a", Resources(4000, 16 * GI)), NodeView("b", Resources(8000, 8 * GI)))

ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: ci, namespace: shop}
rules: [{apiGroups: [""], resources: [pods], verbs: [get%s]}]
"""
BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ci, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: ci}
subjects: [{kind: User, name: ann}%s]
"""
POD = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      %s
      containers: [{name: db, image: "example.com/db:1"%s}]
"""
STRICT = """, securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}}"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: %s}, ports: [{port: 80}]}
"""
BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db, namespace: shop}
spec: {selector: {matchLabels: {app: db}}, %s}
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: lamps, kind: Lamp}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""
LAMP = "apiVersion: example.com/%s\nkind: Lamp\nmetadata: {name: desk, namespace: shop}\n"
NAMESPACE = (
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: %s}}\n"
)


Files = Mapping[str, str | None]


async def found(base: Files, head: Files, guard: PruneGuard = LOOSE) -> list[tuple[str, str]]:
    review = await review_of(base, head, Beside(nodes=NODES), guard=guard)
    return [(risk.code.value, f"{risk.identity}: {risk.message}") for risk in review.risks]


FOUND = [
    ({"a": CLAIM}, {"a": None}, "data-loss", "PersistentVolumeClaim/shop/data: is no longer stated"),
    ({"a": deployment()}, {"a": None}, "deletion", "Deployment/shop/web: would be deleted"),
    ({"a": ROLE % ""}, {"a": ROLE % ", delete"}, "wider-privileges", "allows more: delete pods"),
    ({"a": ROLE % ""}, {"a": ROLE % ', "*"'}, "wider-privileges", "allows more: do anything with pods"),
    ({}, {"a": ROLE % ""}, "wider-privileges", "allows more: get pods"),
    (
        {"a": BINDING % ""},
        {"a": BINDING % BOB},
        "wider-privileges",
        "User bob would have Role ci",
    ),
    ({}, {"a": BINDING % ""}, "wider-privileges", "User ann would have Role ci"),
    ({}, {"a": POD % (FREE, "")}, "weaker-pod-security", "its pods get hostNetwork"),
    (
        {},
        {"a": POD % ("volumes: [{name: v, hostPath: {path: /var/run}}]", "")},
        "weaker-pod-security",
        "its pods get the node's path /var/run",
    ),
    (
        {"a": POD % ("", STRICT)},
        {"a": POD % ("", "")},
        "weaker-pod-security",
        "privilege escalation in db, root allowed in db, default capabilities in db",
    ),
    (
        {"a": POD % ("", STRICT)},
        {"a": POD % ("", STRICT.replace("drop: [ALL]", "drop: [ALL], add: [SYS_ADMIN]"))},
        "weaker-pod-security",
        "its pods get capability SYS_ADMIN in db",
    ),
    (
        {"namespace.yaml": NAMESPACE % "restricted"},
        {"namespace.yaml": NAMESPACE % "baseline"},
        "weaker-pod-security",
        "Namespace/shop: enforces baseline pod security instead of restricted",
    ),
    ({}, {"a": SERVICE % "none"}, "service-without-endpoints", "no pods that Git states have app=none"),
    (
        {"a": POD % ("", ""), "s": SERVICE % "db"},
        {"a": None},
        "service-without-endpoints",
        "Service/shop/db: no pods that Git states have app=db",
    ),
    (
        {},
        {"a": POD % ("", ", resources: {requests: {cpu: 9}}")},
        "no-room",
        "no node is large enough for one of its pods (9 CPUs, 0 GiB)",
    ),
    (
        {},
        {"a": POD % ("", ", resources: {requests: {cpu: 6, memory: 12Gi}}")},
        "no-room",
        "no node is large enough for one of its pods (6 CPUs, 12 GiB)",
    ),
    ({"a": POD % ("", "")}, {"b": BUDGET % "maxUnavailable: 0"}, "blocking-budget", "maxUnavailable is 0"),
    ({"a": POD % ("", "")}, {"b": BUDGET % "minAvailable: 2"}, "blocking-budget", "minAvailable is 2 of 2"),
    (
        {"a": (POD % ("", "")).replace("replicas: 2", "replicas: 3"), "b": BUDGET % "minAvailable: 2"},
        {"a": POD % ("", "")},
        "blocking-budget",
        "PodDisruptionBudget/shop/db: minAvailable is 2 of 2",
    ),
    (
        {},
        {"a": (POD % ("", "")).replace("apps/v1", "apps/v1beta1")},
        "unserved-version",
        "apps/v1beta1 is not served",
    ),
    ({"a": task()}, {"a": task(image="example.com/web:2")}, "task-runs-again", "Task/shop/migrate runs again"),
    (
        {"a": POD % ("", "")},
        {"a": (POD % ("", "")).replace("serviceName: db", "serviceName: other")},
        "refused",
        "would not be applied: spec.serviceName is immutable",
    ),
    (
        {"a": POD % ("", "")},
        {
            "a": (POD % ("", ""))
            .replace("serviceName: db", "serviceName: other")
            .replace("namespace: shop}", 'namespace: shop, annotations: {reconciler.dev/replace: "true"}}', 1)
        },
        "replacement",
        "would be deleted and created anew: spec.serviceName is immutable",
    ),
]


@pytest.mark.parametrize(("base", "head", "code", "message"), FOUND)
def test_a_danger_is_found(base: Files, head: Files, code: str, message: str) -> None:
    @virtual
    async def scenario() -> None:
        said = await found(base, head)
        assert [text for kind, text in said if kind == code and message in text], said

    scenario()


NONE = [
    ({"a": ROLE % ", delete"}, {"a": ROLE % ""}),
    ({"a": ROLE % ', "*"'}, {"a": ROLE % ", delete"}),
    ({"a": BINDING % BOB}, {"a": BINDING % ""}),
    ({"a": POD % (FREE, "")}, {"a": POD % ("", "")}),
    (
        {"a": POD % (FREE, "")},
        {"a": (POD % (FREE, "")).replace("replicas: 2", "replicas: 3")},
    ),
    ({}, {"a": POD % ("", "")}),
    ({}, {"a": deployment(extra="  expose: [{port: 80, targetPort: http}]\n")}),
    ({}, {"a": POD % ("", ""), "s": SERVICE % "db"}),
    ({"s": SERVICE % "none"}, {"a": POD % ("", "")}),
    ({}, {"a": POD % ("", ", resources: {requests: {cpu: 8, memory: 8Gi}}")}),
    ({"a": POD % ("", "")}, {"b": BUDGET % "minAvailable: 1"}),
    ({"a": POD % ("", ""), "b": BUDGET % "maxUnavailable: 0"}, {"c": deployment()}),
    ({}, {"a": CRD, "b": LAMP % "v1"}),
    ({}, {"b": LAMP % "v1"}),
    ({}, {"a": task()}),
    ({"a": task()}, {"a": task(extra="  retries: 3\n").replace("retries: 3", "keep: {failed: 1}")}),
    ({"a": task()}, {"a": task(image="example.com/web:2", extra="  suspend: true\n")}),
    ({"namespace.yaml": NAMESPACE % "baseline"}, {"namespace.yaml": NAMESPACE % "restricted"}),
]


@pytest.mark.parametrize(("base", "head"), NONE)
def test_what_is_no_danger_is_not_taken_for_one(base: Files, head: Files) -> None:
    @virtual
    async def scenario() -> None:
        assert await found(base, head) == []

    scenario()


@virtual
async def test_a_mass_deletion_is_held_and_blocks() -> None:
    many = {f"{number}": deployment(f"web-{number}") for number in range(8)}
    said = await found(many, dict.fromkeys(many), guard=PruneGuard())
    assert {kind for kind, _ in said} == {"held-prune"}
    assert len(said) == 8


@virtual
async def test_a_merge_does_not_approve_its_own_deletions() -> None:
    """The guard would let them pass for the trailer. Whether the merge may have it is what the review is about."""
    many = {f"{number}": deployment(f"web-{number}") for number in range(8)}
    beside = Beside(messages=("Remove\n\nReconciler-Allow-Prune: 8",))
    review = await review_of(many, dict.fromkeys(many), beside, guard=PruneGuard())
    assert {change.action for change in review.effects.merged} == {Action.PRUNE}
    assert [str(risk.code) for risk in review.risks] == ["held-prune"] * 8
    assert "a commit approves it" in review.risks[0].message
    assert review.verdict is Verdict.BLOCK
    beside = Beside(messages=("Remove\n\nReconciler-Allow-Prune: 1",))
    few = await review_of(many, {"1": None}, beside, guard=PruneGuard())
    assert [str(risk.code) for risk in few.risks] == ["deletion"], "which the guard would not hold"


@virtual
async def test_the_rules_of_the_base_count_and_not_those_of_the_head() -> None:
    """What a merge may change about its own review is nothing."""
    off = "review: {risks: {deletion: off, data-loss: off}}\n"
    base = {"a": deployment(), "c": CLAIM}
    loosened = await review_of(base, {"a": None, "c": None, "reconciler.yaml": off})
    assert {risk.code.value for risk in loosened.risks} == {"deletion", "data-loss"}
    assert loosened.verdict is Verdict.BLOCK
    ruled = await review_of({**base, "reconciler.yaml": off}, {"a": None, "c": None})
    assert ruled.risks == ()
    assert ruled.verdict is Verdict.PASS


@virtual
async def test_rules_that_cannot_be_read_let_nothing_pass() -> None:
    """Who mends them, or breaks them first, must not get a deletion past them meanwhile."""
    broken = {"a": deployment(), "reconciler.yaml": "review: {approvers: 3}\n"}
    mended = "review: {approvers: {deletion: [ann]}}\n"
    assert (await review_of(broken, {"a": None, "reconciler.yaml": mended})).verdict is Verdict.BLOCK
    assert (await review_of(broken, {"reconciler.yaml": mended})).verdict is Verdict.PASS


@virtual
async def test_a_rule_can_be_made_to_block() -> None:
    rules = {"reconciler.yaml": "review: {risks: {deletion: block}}\n", "a": deployment()}
    assert (await review_of(rules, {"a": None})).verdict is Verdict.BLOCK


@virtual
async def test_an_invalid_spec_is_no_merge_to_be_made() -> None:
    review = await review_of({"a": deployment()}, {"a": deployment().replace("image:", "picture:")})
    assert review.verdict is Verdict.INVALID
    assert not review.inherited


@virtual
async def test_what_was_wrong_before_is_not_the_merges() -> None:
    review = await review_of({"a": deployment().replace("image:", "picture:")}, {"b": deployment("api")})
    assert set(review.problems) == set(review.inherited)


@virtual
async def test_what_is_applied_waits_for_what_it_needs() -> None:
    review = await review_of(
        {}, {"a": task(), "b": deployment(extra="  dependsOn: [Task/migrate]\n  expose: [{port: 80}]\n")}
    )
    steps = [{identity.kind for identity in step} for step in review.order]
    assert steps == [{"Job", "Service"}, {"Deployment"}]


def role(*rules: dict[str, list[str]]) -> str:
    head = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: ci, namespace: shop}\n"
    return f"{head}rules: {json.dumps(rules)}\n"


def many(word: str, count: int = 300) -> list[str]:
    return [f"{word}{number}" for number in range(count)]


async def wider(before: str, after: str) -> list[str]:
    review = await review_of({"a": before}, {"a": after})
    return [risk.message for risk in review.risks if risk.code is RiskCode.WIDER_PRIVILEGES]


@virtual
async def test_rules_of_any_size_are_compared_or_told() -> None:
    """A rule of 1,200 words is eight billion grants."""
    wide = {"apiGroups": many("g"), "resources": many("r"), "verbs": many("v"), "resourceNames": many("n")}
    less = {**wide, "verbs": wide["verbs"][1:]}
    assert await wider(role(wide), role(wide)) == []
    assert await wider(role(wide), role(less, wide)) == [], "one rule has all of the other"
    (said,) = await wider(role(less), role(wide))
    assert said.startswith("allows more: v0 r0 n0 of g0, v0 r0 n1 of g0, v0 r0 n2 of g0 and ")
    assert said.endswith(" more; perhaps others, as its rules are too many to compare")
    (said,) = await wider(role(), role(wide))
    assert said.startswith("allows more: v0 r0 n0 of g0, v1 r0 n0 of g0, v2 r0 n0 of g0 and ")
    small = [{"apiGroups": [""], "resources": [each], "verbs": ["get", "list"]} for each in many("r", 200)]
    turned = [{**rule, "verbs": ["list", "get"]} for rule in small[::-1]]
    assert await wider(role(*small), role(*turned)) == []
    assert await wider(role(*small), role(*turned, {**small[0], "verbs": ["get", "watch"]})) == [
        "allows more: watch r0"
    ]


@virtual
async def test_everything_of_a_group_is_no_path() -> None:
    path = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    assert await wider(role(everything), role(everything, path)) == ["allows more: get /metrics"]
    assert await wider(role({**path, "nonResourceURLs": ["*"]}), role(path)) == []
