"""The file of credentials, as docker, podman and Kubernetes write it."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ImageRefused, RegistryDenied
from reconciler.images.credentials import Credentials, Keychain
from reconciler.images.reference import Repository


def basic(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def config(tmp_path: Path):
    def write(content: Any, *helpers: str) -> Keychain:
        path = tmp_path / "config.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return Keychain(path, frozenset(helpers))

    return write


async def user_of(keychain: Keychain, name: str) -> str | None:
    found = await keychain.find(Repository.parse(name))
    return found.username if found else None


async def test_the_longest_key_that_fits_wins(config) -> None:
    keychain = config(
        {
            "auths": {
                "https://index.docker.io/v1/": basic("hub", "1"),
                "registry.example.com": basic("all", "2"),
                "registry.example.com/shop": basic("shop", "3"),
                "http://old.example.com/v2/": basic("old", "4"),
                "localhost:5000": {"username": "ada", "password": "5"},
            }
        }
    )
    assert await user_of(keychain, "redis") == "hub"
    assert await user_of(keychain, "ada/shop") == "hub"
    assert await user_of(keychain, "registry.example.com/web") == "all"
    assert await user_of(keychain, "registry.example.com/shop/web") == "shop"
    assert await user_of(keychain, "registry.example.com/shopping") == "all"
    assert await user_of(keychain, "old.example.com/x") == "old"
    assert await user_of(keychain, "localhost:5000/x") == "ada"
    assert await user_of(keychain, "localhost:5001/x") is None
    assert await user_of(keychain, "evil-registry.example.com/x") is None


async def test_a_password_may_hold_colons(config) -> None:
    found = await config({"auths": {"r.io": basic("ada", "a:b:c")}}).find(Repository.parse("r.io/x"))
    assert found == Credentials("ada", "a:b:c")
    assert "a:b:c" not in repr(found)


async def test_an_identity_token(config) -> None:
    found = await config({"auths": {"r.io": {"auth": "", "identitytoken": "t0ken"}}}).find(Repository.parse("r.io/x"))
    assert found == Credentials(identity_token="t0ken")


async def test_a_changed_file_is_read_anew(config, tmp_path: Path) -> None:
    keychain = config({"auths": {"r.io": basic("ada", "1")}})
    assert await user_of(keychain, "r.io/x") == "ada"
    config({"auths": {"r.io": basic("berta", "22")}})
    assert await user_of(keychain, "r.io/x") == "berta"


async def test_no_file_is_no_credentials() -> None:
    assert await Keychain().find(Repository.parse("redis")) is None


@pytest.mark.parametrize(
    "content",
    [
        "s3cret",
        "[]",
        '{"auths": []}',
        '{"auths": {"r.io": "s3cret"}}',
        '{"auths": {"r.io": {"auth": "czNjcmV0"}}}',
        '{"auths": {"r.io": {"auth": "!s3cret"}}}',
        '{"auths": {"r.io": {"password": ["s3cret"]}}}',
    ],
)
async def test_a_file_that_cannot_be_used_is_named_and_not_shown(config, content: str, tmp_path: Path) -> None:
    with pytest.raises(ImageRefused) as caught:
        await config(content).find(Repository.parse("r.io/x"))
    said = "\n".join(caught.value.diagnostics())
    assert str(tmp_path) in said
    assert "s3cret" not in said
    assert "czNj" not in said


async def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageRefused, match="cannot be read"):
        await Keychain(tmp_path / "none").find(Repository.parse("r.io/x"))


async def test_a_helper_runs_only_where_it_is_allowed(config, tmp_path: Path, helper) -> None:
    ran = helper("shop", f'echo > "{tmp_path}/ran"; cat > /dev/null; echo \'{{"Username": "ada", "Secret": "x"}}\'')
    for content in ({"credHelpers": {"r.io": "shop"}}, {"credsStore": "shop"}):
        with pytest.raises(ImageRefused, match="helper 'shop', which is not allowed"):
            await config(content).find(Repository.parse("r.io/x"))
        assert not ran.exists()
    assert await config({"credHelpers": {"r.io": "shop"}}, "shop").find(Repository.parse("r.io/x")) == Credentials(
        "ada", "x"
    )
    assert ran.exists()


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "A", "a b", 7, "x" * 65])
async def test_what_a_helper_may_not_be_called(config, name: object) -> None:
    with pytest.raises(ImageRefused, match="name of a credential helper"):
        await config({"credHelpers": {"r.io": name}}, str(name)).find(Repository.parse("r.io/x"))


async def test_what_helpers_say(config, helper) -> None:
    keychain = config({"credHelpers": {"r.io": "shop", "docker.io": "shop"}}, "shop")
    helper("shop", 'read -r it; echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"for $it\\"}"')
    assert await keychain.find(Repository.parse("r.io/x")) == Credentials(identity_token="for r.io")
    assert await keychain.find(Repository.parse("redis")) == Credentials(
        identity_token="for https://index.docker.io/v1/"
    )
    helper("shop", "echo credentials not found in native keychain; exit 1")
    assert await keychain.find(Repository.parse("r.io/x")) is None
    for script in ("echo s3cret; exit 1", "echo s3cret", "echo '{\"Username\": 1}'"):
        helper("shop", script)
        with pytest.raises(RegistryDenied) as caught:
            await keychain.find(Repository.parse("r.io/x"))
        assert "s3cret" not in "\n".join(caught.value.diagnostics())


async def test_a_helper_that_is_not_installed(config) -> None:
    with pytest.raises(RegistryDenied, match="cannot be run"):
        await config({"credsStore": "not-there"}, "not-there").find(Repository.parse("r.io/x"))


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program docker-credential-NAME on the path; gives the file that it may leave as its mark."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        program = folder / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return tmp_path / "ran"

    return make
