"""`reconciler image`, against a real registry and a real builder."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from registry_server import RegistryServer
from small_images import push_image
from texts import deployment

from reconciler.clock import SystemClock
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference
from reconciler.images.session import Session
from reconciler.model.image import Registries

WEB = """apiVersion: reconciler.dev/v1
kind: Image
metadata: {{name: web}}
spec:
  repository: {web}
  build: {{context: code}}
"""
REDIS = """apiVersion: reconciler.dev/v1
kind: Image
metadata: {{name: redis}}
spec:
  repository: {redis}
  follow: {{semver: ^7}}
"""
BUILT = {"web.yaml": deployment(image="web"), "code/Containerfile": "FROM scratch\nCOPY word /\n", "code/word": "1"}


@pytest.fixture
def named(open_registry: RegistryServer, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A repository of this test alone."""
    return lambda name: open_registry.name(f"cli/{request.node.name}/{name}".replace("test_", "").lower())


def push(name: str, tag: str, content: bytes) -> str:
    async def pushed() -> str:
        session = Session(Registries(), SystemClock(), Random(7))
        try:
            return await push_image(Pusher(session), Reference.parse(name).repository, tag, content)
        finally:
            await session.close()

    return asyncio.run(pushed())


def test_what_is_followed_is_listed_resolved_and_written(cli, shop, named: Callable[[str], str]) -> None:
    digest = push(named("redis"), "7.0.0", b"old")
    redis = {"redis.yaml": REDIS.format(redis=named("redis")), "cache.yaml": deployment("cache", "redis")}
    folder = shop(redis)
    listed = cli("image", "list", folder)
    assert (listed.code, listed.err) == (0, "")
    heading, line = (row.split() for row in listed.out.splitlines())
    assert heading == ["IMAGE", "TAG", "DIGEST", "AGE", "FROM", "USED", "BY"]
    assert line == ["default/redis", "7.0.0", digest[:19], "-", "registry", "Deployment/cache"]

    asked = cli("image", "resolve", folder)
    said = f"images.lock.yaml: Image/default/redis to 7.0.0 {digest[:19]}: it follows semver ^7\n"
    assert (asked.code, asked.out) == (2, said)
    assert not (folder / "images.lock.yaml").exists()
    assert cli("image", "resolve", folder, "--write").code == 0
    assert cli("image", "resolve", folder).out == "the lock files have the newest digests\n"

    new = push(named("redis"), "7.2.0", b"new")
    (found,) = json.loads(cli("image", "list", folder, "--output", "json").out)["images"]
    assert (found["from"], found["digest"], found["usedBy"]) == ("lock", digest, ["Deployment/cache"])
    asked = cli("image", "resolve", folder, "--output", "json")
    (change,) = json.loads(asked.out)["changes"]
    assert change["to"] == f"{named('redis')}:7.2.0@{new}"
    assert change["from"] == f"{named('redis')}:7.0.0@{digest}"


def test_a_folder_is_built(builders: Path, cli, shop, named: Callable[[str], str]) -> None:
    folder = shop({**BUILT, "image.yaml": WEB.format(web=named("web"))})
    before = cli("image", "list", folder)
    assert before.code == 1
    assert "it has not been built from these inputs\n  hint: `reconciler image build` does\n" in before.err
    built = cli("image", "build", folder, "--write")
    assert (built.code, built.err) == (0, "")
    *log, last = built.out.splitlines()
    assert any(line.endswith("STEP 2/2: COPY word /") for line in log)
    assert last.startswith(f"default/web is {named('web')}:inputs-")
    listed = json.loads(cli("image", "list", folder, "--output", "json").out)["images"]
    assert [(one["image"], one["from"]) for one in listed] == [("default/web", "lock")]
    again = cli("image", "build", folder)
    assert again.out.splitlines() == [last], "nothing is built twice"


def test_a_build_that_fails(builders: Path, cli, shop, named: Callable[[str], str]) -> None:
    broken = {"code/Containerfile": "FROM scratch\nCOPY nothing /\n"}
    folder = shop({**BUILT, **broken, "image.yaml": WEB.format(web=named("web"))})
    ran = cli("image", "build", folder, "--output", "json")
    assert (ran.code, json.loads(ran.out)) == (1, {"images": {}})
    assert "the build failed" in ran.err
    assert "  | " in ran.err


def test_what_is_not_there(cli, shop) -> None:
    folder = shop({"web.yaml": deployment()})
    assert cli("image", "list", folder).out == f"there are no Images in {folder}\n"
    asked = cli("image", "list", folder, "--only", "nobody")
    assert (asked.code, asked.err.splitlines()[0]) == (1, f"there is no Image nobody in {folder}")
    refused = cli("image", "lists", folder)
    assert "there is no 'lists', did you mean list?" in refused.err


def test_a_registry_that_does_not_answer(cli, shop) -> None:
    folder = shop({"redis.yaml": REDIS.format(redis="127.0.0.1:1/redis")})
    listed = cli("image", "list", folder)
    assert listed.code == 1
    assert "the registry 127.0.0.1:1 gave no usable answer" in listed.err


def test_a_folder_with_a_build_is_valid_and_planned(cli, shop) -> None:
    """Nobody is asked: what is not known is shown as that, and everything else is checked."""
    folder = shop({**BUILT, "image.yaml": WEB.format(web="registry.example.com/web")})
    assert cli("validate", folder).out == "2 documents are valid; 0 errors, 0 warnings\n"
    planned = cli("plan", folder, "--offline")
    assert planned.code == 2
    assert "Deployment/default/web" in planned.out
    assert "warning: Image/web: " in planned.out
    assert "whether it has been built from these inputs is not asked here" in planned.out


def test_apply_holds_what_nobody_was_asked_about(cli, shop, api_server: Path) -> None:
    folder = shop({**BUILT, "image.yaml": WEB.format(web="registry.example.com/web")})
    applied = cli("apply", folder, "--kubeconfig", api_server, "--state-namespace", "default", "--no-wait")
    assert applied.code == 1
    assert "Image/web has no digest yet" in applied.out


def test_apply_builds_with_a_configuration(builders: Path, cli, shop, api_server: Path, named, tmp_path: Path) -> None:
    folder = shop({**BUILT, "image.yaml": WEB.format(web=named("web"))})
    configuration = tmp_path / "config.yaml"
    configuration.write_text("sources: [{name: shop, url: /srv/shop}]\n")
    on = ("--kubeconfig", api_server, "--state-namespace", "default")
    applied = cli("apply", folder, "--config", configuration, *on, "--no-wait")
    assert applied.code == 0, applied
    assert "STEP 2/2" in applied.err
    # Who plans without asking anybody takes what runs for what is meant.
    again = cli("plan", folder, *on)
    assert (again.code, again.err) == (0, ""), again.out
    drifted = cli("drift", folder, *on)
    assert drifted.code == 0, drifted
    (folder / "code/word").write_text("2")
    asked = cli("plan", folder, "--config", configuration, *on)
    assert "it has not been built from these inputs" in asked.out


def test_a_merge_that_changes_code_shows_who_gets_another_image(cli, shop, repository) -> None:
    folder = shop({**BUILT, "image.yaml": WEB.format(web="registry.example.com/web")})
    repository(folder, "Start")
    (folder / "code/word").write_text("2")
    repository(folder, "Code")
    planned = cli("plan", folder, "--base", "HEAD~1", "--head", "HEAD", "--offline")
    assert planned.code == 2, planned
    assert "Deployment/default/web" in planned.out
