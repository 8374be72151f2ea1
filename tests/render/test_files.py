"""files: content-hashed ConfigMaps."""

from typing import Any

WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: registry.example.com/web:1
  files: {/etc/web: ./config}
"""


def test_files_become_an_immutable_config_map_that_is_mounted(good: Any) -> None:
    made = good(WEB, files={"./config/web.conf": b"a = 1\n", "./config/logo": b"\xff\xfe"})
    config = made.object("ConfigMap/web-files-")
    assert config["immutable"] is True
    assert config["data"] == {"web.conf": "a = 1\n"}
    assert config["binaryData"] == {"logo": "//4="}
    volume = made.pod("Deployment/web")["volumes"][0]
    assert volume["configMap"]["name"] == config["metadata"]["name"]
    assert volume["configMap"]["items"] == [
        {"key": "logo", "path": "etc/web/logo"},
        {"key": "web.conf", "path": "etc/web/web.conf"},
    ]
    assert made.container("Deployment/web")["volumeMounts"] == [
        {"name": volume["name"], "mountPath": "/etc/web", "subPath": "etc/web"}
    ]
    assert made.waits("Deployment/web") == [f"ConfigMap/{config['metadata']['name']}"]


def test_rule_17_another_content_is_another_config_map_and_going_back_is_the_old_one(good: Any) -> None:
    old, new, back = (
        good(WEB, files={"./config/a": content}).object("ConfigMap/web-files-")["metadata"]["name"]
        for content in (b"old", b"new", b"old")
    )
    assert old == back != new


def test_a_single_file_is_mounted_beside_what_is_there(good: Any) -> None:
    made = good(WEB.replace("/etc/web: ./config", "/etc/web.conf: ./prod.conf"), files={"./prod.conf": b"x"})
    assert made.container("Deployment/web")["volumeMounts"][0]["mountPath"] == "/etc/web.conf"
    assert made.container("Deployment/web")["volumeMounts"][0]["subPath"] == "etc/web.conf"


def test_files_of_one_name_in_two_folders_are_both_kept(good: Any) -> None:
    made = good(WEB, files={"./config/a/conf": b"1", "./config/b/conf": b"2"})
    assert sorted(made.object("ConfigMap/web-files-")["data"].values()) == ["1", "2"]
    paths = {item["path"] for item in made.pod("Deployment/web")["volumes"][0]["configMap"]["items"]}
    assert paths == {"etc/web/a/conf", "etc/web/b/conf"}


def test_a_deployment_and_a_task_of_one_name_may_mount_the_same_files(good: Any) -> None:
    made = good(f"{WEB}---\n{WEB.replace('Deployment', 'Task')}", files={"./config/a": b"x"})
    assert len([name for name in made.names() if name.startswith("ConfigMap/web-files-")]) == 2
