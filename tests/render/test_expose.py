"""expose: the Service and the Ingress."""

from typing import Any

import pytest

WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: registry.example.com/web:1
  expose: %s
"""
PORTS = "  ports: [{name: http, containerPort: 8080}]\n"


def test_a_port_is_named_as_stated_else_after_the_containers_port_else_by_its_number(good: Any) -> None:
    made = good(
        (WEB % "[{port: 80, targetPort: http}, {port: 53, protocol: UDP}, {port: 90, targetPort: 9, name: admin}]")
        + PORTS
    )
    assert made.spec("Service/web")["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http"},
        {"name": "udp-53", "port": 53, "protocol": "UDP"},
        {"name": "admin", "port": 90, "targetPort": 9},
    ]
    assert "Ingress/web" not in made.names()


def test_a_host_makes_an_ingress(good: Any) -> None:
    exposed = "[{port: 80, host: shop.example.com, path: /api, tls: shop-tls, className: nginx, annotations: {a: b}}]"
    made = good(WEB % exposed)
    assert made.object("Ingress/web")["metadata"]["annotations"]["a"] == "b"
    assert made.spec("Ingress/web") == {
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}],
        "rules": [
            {
                "host": "shop.example.com",
                "http": {
                    "paths": [
                        {
                            "path": "/api",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "web", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ],
    }
    assert made.waits("Ingress/web") == ["Service/web"]


def test_two_hosts_of_one_port_share_the_services_port_and_the_ingress(good: Any) -> None:
    made = good(WEB % "[{port: 80, host: a.example.com}, {port: 80, host: b.example.com}]")
    assert len(made.spec("Service/web")["ports"]) == 1
    assert [rule["host"] for rule in made.spec("Ingress/web")["rules"]] == ["a.example.com", "b.example.com"]


def test_entries_of_another_class_get_an_ingress_of_their_own(good: Any) -> None:
    made = good(WEB % "[{port: 80, host: a.example.com}, {port: 80, host: b.example.com, className: inside}]")
    assert made.spec("Ingress/web-2")["ingressClassName"] == "inside"


def test_one_port_that_leads_to_two_places_is_a_problem(render: Any) -> None:
    found = render(WEB % "[{port: 80, targetPort: 8080}, {port: 80, targetPort: http}]" + PORTS)
    assert found.names() == []
    assert str(found.problems[0]) == (
        "shop.yaml:1: Deployment/web spec.expose[1]: port 80 is exposed twice and leads to different places"
    )


def test_two_ports_of_one_name_are_a_problem(render: Any) -> None:
    found = render(WEB % "[{port: 80, targetPort: http}, {port: 81, targetPort: http}]" + PORTS)
    assert found.problems[0].code == "port-name-twice"


def test_a_name_that_no_container_gives_to_a_port_is_a_problem(render: Any) -> None:
    (problem,) = render(WEB % "[{port: 80, targetPort: http}, {port: 81, targetPort: htpp}]" + PORTS).problems
    assert problem.code == "unknown-port"
    assert str(problem).startswith(
        'shop.yaml:1: Deployment/web spec.expose[1].targetPort: no container has a port named "htpp"'
    )
    assert problem.hint == "they name http: name it in `ports`, or state its number"
    (problem,) = render(WEB % "[{port: 80, targetPort: http}]").problems
    assert problem.hint == "they name none: name it in `ports`, or state its number"


BESIDE = '[{name: proxy, image: "example.com/proxy:1", ports: [{name: http, containerPort: 9}]}]'


@pytest.mark.parametrize("more", [f"  sidecars: {BESIDE}\n", f"  template: {{spec: {{containers: {BESIDE}}}}}\n"])
def test_a_port_may_be_that_of_a_container_beside_it(good: Any, more: str) -> None:
    made = good(WEB % "[{port: 80, targetPort: http}]" + more)
    assert made.spec("Service/web")["ports"][0]["targetPort"] == "http"


def test_a_number_need_be_stated_by_no_container(good: Any) -> None:
    assert good(WEB % "[{port: 80, targetPort: 9090}]").spec("Service/web")["ports"][0]["targetPort"] == 9090
