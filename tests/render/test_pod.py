"""The pod template, from the fields that Deployments and Tasks share."""

from typing import Any

import pytest

HEAD = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: registry.example.com/web:1
"""


def test_env_is_a_list_by_name_with_values_and_sources(good: Any) -> None:
    env = good(
        f"{HEAD}  env: {{PORT: 8080, DEBUG: true, RATIO: 0.5, A: x, KEY: {{secretKeyRef: {{name: s, key: k}}}}}}"
    ).container("Deployment/web")["env"]
    assert env == [
        {"name": "A", "value": "x"},
        {"name": "DEBUG", "value": "true"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "PORT", "value": "8080"},
        {"name": "RATIO", "value": "0.5"},
    ]


def test_a_variable_comes_after_those_it_refers_to(good: Any) -> None:
    """Kubernetes expands $(NAME) only where NAME stands earlier."""
    env = good(f'{HEAD}  env: {{A: "$(B)/$$(Z)", B: "$(C)", C: c, Z: "$(Z)$(NONE)"}}').container("Deployment/web")[
        "env"
    ]
    assert [entry["name"] for entry in env] == ["C", "B", "A", "Z"]


def test_variables_that_refer_to_each_other_are_all_kept(good: Any) -> None:
    env = good(f'{HEAD}  env: {{A: "$(B)", B: "$(A)"}}').container("Deployment/web")["env"]
    assert sorted(entry["name"] for entry in env) == ["A", "B"]


def test_pods_pass_the_restricted_standard_by_default(good: Any) -> None:
    made = good(f"{HEAD}  initContainers: [{{name: i, image: x}}]\n  sidecars: [{{name: s, image: y}}]")
    pod = made.pod("Deployment/web")
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for container in (*pod["containers"], *pod["initContainers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (
            "{capabilities: {add: [NET_BIND_SERVICE]}}",
            {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
        ),
        ("{capabilities: {drop: []}}", {"allowPrivilegeEscalation": False, "capabilities": {"drop": []}}),
        ("{privileged: true}", {"privileged": True, "capabilities": {"drop": ["ALL"]}}),
        (
            "{runAsUser: 0}",
            {
                "runAsUser": 0,
                "runAsNonRoot": False,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        ),
    ],
)
def test_a_spec_overrides_each_default(good: Any, stated: str, expected: Any) -> None:
    assert good(f"{HEAD}  securityContext: {stated}").container("Deployment/web")["securityContext"] == expected


def test_a_pod_that_states_root_is_not_also_told_to_be_no_root(good: Any) -> None:
    pod = good(f"{HEAD}  podSecurityContext: {{runAsUser: 0, fsGroup: 5}}").pod("Deployment/web")
    assert pod["securityContext"] == {"runAsUser": 0, "fsGroup": 5, "seccompProfile": {"type": "RuntimeDefault"}}


def test_sidecars_are_init_containers_that_go_on_after_the_plain_ones(good: Any) -> None:
    made = good(f"{HEAD}  sidecars: [{{name: proxy, image: p}}]\n  initContainers: [{{name: wait, image: w}}]")
    names = [(c["name"], c.get("restartPolicy")) for c in made.pod("Deployment/web")["initContainers"]]
    assert names == [("wait", None), ("proxy", "Always")]


@pytest.mark.parametrize("beside", ["initContainers: [{name: web, image: w}]", "sidecars: [{name: a}, {name: a}]"])
def test_two_containers_of_one_name_are_a_problem(render: Any, beside: str) -> None:
    found = render(f"{HEAD}  {beside}")
    assert [p.code for p in found.problems] == ["container-name-twice"]


def test_a_volume_is_split_into_the_pods_source_and_the_containers_mount(good: Any) -> None:
    volumes = """  volumes:
    - {name: cache, mountPath: /cache, readOnly: true, emptyDir: {medium: Memory}}
    - {name: cache, mountPath: /again, subPath: deep}
    - {name: shared, emptyDir: {}}
"""
    made = good(HEAD + volumes)
    assert made.pod("Deployment/web")["volumes"] == [
        {"name": "cache", "emptyDir": {"medium": "Memory"}},
        {"name": "shared", "emptyDir": {}},
    ]
    assert made.container("Deployment/web")["volumeMounts"] == [
        {"name": "cache", "mountPath": "/cache", "readOnly": True},
        {"name": "cache", "mountPath": "/again", "subPath": "deep"},
    ]


def test_placement_and_pod_fields_are_kubernetes_own(good: Any) -> None:
    pod = good(
        HEAD
        + """  placement:
    nodeSelector: {disk: ssd}
    tolerations: [{key: gpu, operator: Exists}]
    priorityClassName: high
  imagePullSecrets: [{name: pull}]
  terminationGracePeriodSeconds: 0
  runtimeClassName: gvisor
  serviceAccountName: web
"""
    ).pod("Deployment/web")
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert pod["priorityClassName"] == "high"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["terminationGracePeriodSeconds"] == 0
    assert pod["runtimeClassName"] == "gvisor"
    assert pod["serviceAccountName"] == "web"


def test_template_is_merged_as_server_side_apply_would(good: Any) -> None:
    made = good(
        HEAD
        + """  env: {A: a, B: b}
  template:
    metadata: {labels: {extra: "1"}, annotations: {note: x}}
    spec:
      hostname: web
      containers:
        - name: web
          lifecycle: {preStop: {sleep: {seconds: 5}}}
          env: [{name: B, value: other}]
        - {name: second, image: two}
"""
    )
    template = made.spec("Deployment/web")["template"]
    main, second = template["spec"]["containers"]
    assert template["spec"]["hostname"] == "web"
    assert template["metadata"]["labels"]["extra"] == "1"
    assert template["metadata"]["annotations"] == {"note": "x"}
    assert main["image"] == "registry.example.com/web:1"
    assert main["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert main["env"] == [{"name": "A", "value": "a"}, {"name": "B", "value": "other"}]
    assert second == {"name": "second", "image": "two"}


def test_template_cannot_take_the_labels_that_selectors_ask_for(good: Any) -> None:
    made = good(f"{HEAD}  template: {{metadata: {{labels: {{reconciler.dev/variant: mine}}}}}}")
    assert made.spec("Deployment/web")["template"]["metadata"]["labels"]["reconciler.dev/variant"] == "stable"


def test_a_pool_is_required_of_a_node_and_another_label_beside_it_too(good: Any) -> None:
    made = good(HEAD + "  placement: {pool: general, nodeSelector: {disk: ssd}}\n", pools={"general": {"tier": "g"}})
    assert made.pod("Deployment/web")["nodeSelector"] == {"tier": "g", "disk": "ssd"}


def test_a_pool_that_does_not_exist_is_refused(render: Any) -> None:
    found = render(HEAD + "  placement: {pool: batch}\n", pools={"general": {"tier": "g"}})
    assert [(p.code, p.message, p.hint) for p in found.problems] == [
        (
            "unknown-pool",
            'there is no pool "batch"',
            "the daemon's configuration names the pools: planner.pools",
        )
    ]
    assert found.names() == []
