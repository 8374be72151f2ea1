"""What the server says of itself."""

from sandbox_api import CRDS, Api, definition

AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}


def test_health_and_version(api: Api) -> None:
    assert [api.get(path).text for path in ("/healthz", "/livez", "/readyz", "/readyz/ping")] == ["ok"] * 4
    version = api.get("/version").body
    assert version["gitVersion"].startswith("v1.36")
    assert "/apis/apps/v1" in api.get("/").body["paths"]
    assert api.post("/version", {}).status == 405


def test_groups_and_their_resources(api: Api) -> None:
    assert api.get("/api").body["versions"] == ["v1"]
    groups = {group["name"]: group for group in api.get("/apis").body["groups"]}
    assert groups["autoscaling"]["preferredVersion"]["version"] == "v2"
    assert api.get("/apis/autoscaling").body["versions"][1]["version"] == "v1"
    assert api.get("/apis/none.example.com").status == 404
    resources = {item["name"]: item for item in api.get("/apis/apps/v1").body["resources"]}
    assert resources["deployments"]["shortNames"] == ["deploy"]
    assert resources["deployments"]["categories"] == ["all"]
    scale = resources["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    assert "pods/exec" not in {item["name"] for item in api.get("/api/v1").body["resources"]}


def test_only_stable_versions_are_served(api: Api) -> None:
    versions = {version["version"] for group in api.get("/apis").body["groups"] for version in group["versions"]}
    assert versions == {"v1", "v2"}


def test_everything_can_be_had_at_once(api: Api) -> None:
    answer = api.call("GET", "/apis", headers=AGGREGATED)
    assert answer.headers["content-type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    groups = {item["metadata"]["name"]: item for item in answer.body["items"]}
    (version,) = groups["apps"]["versions"]
    deployments = next(item for item in version["resources"] if item["resource"] == "deployments")
    assert deployments["scope"] == "Namespaced"
    assert [sub["subresource"] for sub in deployments["subresources"]] == ["scale", "status"]
    (core,) = api.call("GET", "/api", headers=AGGREGATED).body["items"]
    assert core["versions"][0]["version"] == "v1"


def test_the_openapi_documents_follow_the_definitions(api: Api) -> None:
    before = api.get("/openapi/v3").body["paths"]
    assert before["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/apps/v1?hash=")
    document = api.get("/openapi/v3/apis/apps/v1").body
    assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
    api.post(CRDS, definition())
    after = api.get("/openapi/v3").body["paths"]
    assert after["apis/apps/v1"] != before["apis/apps/v1"]
    document = api.get("/openapi/v3/apis/shop.example.com/v1").body
    assert "com.example.shop.v1.Widget" in document["components"]["schemas"]
    assert "com.example.shop.v1.Widget" in api.get("/openapi/v2").body["definitions"]
    assert api.get("/openapi/v3/apis/none/v1").status == 404
