"""Forges and webhooks of a configuration: what is refused, and with which words."""

import pytest

from reconciler.errors import ConfigError
from reconciler.model.config import DaemonConfig
from reconciler.model.forging import ForgeKind
from reconciler.specs.config import ConfigRefused, load_config

SOURCES = "sources: [{name: shop, url: /srv/shop}]\n"
FORGE = "{name: hub, kind: github, url: 'https://github.com', tokenFile: /t, repositories: [shop/specs]}"


def load(text: str) -> DaemonConfig:
    return load_config(SOURCES + text, "c.yaml")


def refusal(text: str) -> str:
    with pytest.raises(ConfigRefused) as caught:
        load(text)
    return "\n".join(caught.value.diagnostics())


def test_what_is_stated_is_read() -> None:
    found = load(f"forges: [{FORGE}]\nwebhooks: [{{name: hook, kind: forgejo, secretFile: /s}}]")
    assert (found.forges[0].kind, found.forges[0].repositories) == (ForgeKind.GITHUB, ("shop/specs",))
    assert (found.webhooks[0].kind, found.webhooks[0].secret_file) == (ForgeKind.FORGEJO, "/s")


def test_names_are_unique() -> None:
    hook = "{name: hook, kind: github, secretFile: /s}"
    assert "webhooks[0] already" in refusal(f"webhooks: [{hook}, {hook}]")
    assert "forges[0] already" in refusal(f"forges: [{FORGE}, {FORGE}]")


def test_a_repository_has_one_reviewer() -> None:
    other = FORGE.replace("name: hub", "name: two").replace("github.com'", "GitHub.com/'").replace("shop/", "Shop/")
    assert "is reviewed by forges[0] already" in refusal(f"forges: [{FORGE}, {other}]")
    assert "is reviewed by" in refusal(f"forges: [{FORGE.replace('[shop/specs]', '[a/b, a/b]')}]")


@pytest.mark.parametrize(
    "url",
    [
        "http://git.example.com",
        "https://ada:pw@git.example.com",
        "git@git.example.com:x",
        "https://x?y=1",
        "http://localhost.evil.com",
    ],
)
def test_a_token_is_sent_by_https_or_on_this_machine(url: str) -> None:
    said = refusal(f"forges: [{FORGE.replace('https://github.com', url)}]")
    assert "https URL without a password" in said
    assert "ada:pw" not in said


@pytest.mark.parametrize("url", ["https://git.example.com:8443/gitea", "http://127.0.0.1:3000", "http://localhost"])
def test_urls_that_do(url: str) -> None:
    assert load(f"forges: [{FORGE.replace('https://github.com', url)}]").forges[0].url == url


@pytest.mark.parametrize("name", ["specs", "../x", "a/..?b", "a//b", "a b/c", "-a/b"])
def test_names_of_repositories(name: str) -> None:
    with pytest.raises(ConfigError):
        load(f"forges: [{FORGE.replace('shop/specs', repr(name))}]")
