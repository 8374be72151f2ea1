"""What deploy/ says about the daemon's port, in four places, is one thing."""

from typing import Any

import yaml
from deployed import ROOT


def manifest(name: str, kind: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "deploy" / name).read_text(encoding="utf-8"))
    return next(each for each in documents if each["kind"] == kind)


def test_prometheus_finds_the_pod_by_its_annotations() -> None:
    pod = manifest("manifests/30-daemon.yaml", "Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    (port,) = container["ports"]
    config = yaml.safe_load(manifest("manifests/20-config.yaml", "ConfigMap")["data"]["config.yaml"])
    noted = pod["metadata"]["annotations"]
    assert noted["prometheus.io/port"] == str(port["containerPort"]) == config["listen"].rpartition(":")[2]
    assert (noted["prometheus.io/scrape"], noted["prometheus.io/path"]) == ("true", "/metrics")


def test_the_service_leads_to_the_pod_and_the_monitor_to_the_service() -> None:
    deployment = manifest("manifests/30-daemon.yaml", "Deployment")
    service = manifest("manifests/40-service.yaml", "Service")
    monitor = manifest("prometheus/servicemonitor.yaml", "ServiceMonitor")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (port,) = service["spec"]["ports"]
    names = [each["name"] for each in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]]
    assert port["targetPort"] in names
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [each["port"] for each in monitor["spec"]["endpoints"]] == [port["name"]]
    assert len({each["metadata"]["namespace"] for each in (deployment, service, monitor)}) == 1


def test_the_token_lies_where_the_manifest_says() -> None:
    text = (ROOT / "deploy/manifests/30-daemon.yaml").read_text(encoding="utf-8")
    pod = manifest("manifests/30-daemon.yaml", "Deployment")["spec"]["template"]["spec"]
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "page")
    (volume,) = (each for each in pod["volumes"] if each["name"] == "page")
    assert f"statusPage: {{tokenFile: {mount['mountPath']}/token}}" in text
    assert f"create secret generic {volume['secret']['secretName']} --from-literal=token=" in text
    assert mount["readOnly"]
    assert volume["secret"]["optional"]
