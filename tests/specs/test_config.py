"""The daemon's configuration."""

import pytest

from reconciler.errors import ConfigError
from reconciler.model.config import DaemonConfig, GitCredentials, PruneGuard, SourceConfig
from reconciler.model.manifest import DriftMode
from reconciler.specs.config import ConfigRefused, load_config, read_config

TEXT = """\
sources:
  - name: shop
    url: https://git.example.com/shop/specs.git
"""


def test_what_is_not_stated_has_a_default() -> None:
    assert load_config(TEXT, "config.yaml") == DaemonConfig(
        (SourceConfig("shop", "https://git.example.com/shop/specs.git"),)
    )


def test_everything_stated() -> None:
    config = load_config(
        TEXT
        + """\
    ref: "semver:>=1.0 <2"
    paths: [base, env/prod]
    namespace: shop
    interval: 1m30s
    timeout: 10
    credentials: {username: bot, passwordFile: /etc/token}
    limits: {blobBytes: 1000}
    guard: {count: 0, percent: 50}
    adopt: true
    drift: alert
    namespaces: [shop]
    priorities: []
    suspend: null
install: prod
stateNamespace: gitops
waitTimeout: 5m
kubeconfig: /etc/kubeconfig
concurrency: 4
listen: "[::1]:9000"
""",
        "config.yaml",
    )
    (source,) = config.sources
    assert (source.interval, source.timeout, config.wait_timeout) == (90.0, 10.0, 300.0)
    assert source.credentials == GitCredentials("bot", "/etc/token")
    assert (source.guard, source.drift, source.adopt) == (PruneGuard(0, 50), DriftMode.ALERT, True)
    assert (source.namespaces, source.priorities) == (("shop",), ())
    assert (source.paths, source.limits.blob_bytes, source.suspend) == (("base", "env/prod"), 1000, False)
    assert (config.install, config.state_namespace, config.listen) == ("prod", "gitops", "[::1]:9000")


def test_json() -> None:
    assert load_config('{"sources": [{"name": "a", "url": "/srv/a"}]}', "c.json").sources[0].url == "/srv/a"


@pytest.mark.parametrize(
    "url",
    ["git@git.example.com:shop/specs.git", "ssh://git@git.example.com/x", "file:///srv/x", "/srv/x", "http://a/b"],
)
def test_urls(url: str) -> None:
    assert load_config(TEXT.replace("https://git.example.com/shop/specs.git", url), "c.yaml").sources[0].url == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.yaml: there is no document in this file"),
        ("{}", 'c.yaml:1:1: the required field "sources" is missing'),
        ("sources: []", "c.yaml:1:10: sources: a list has fewer than 1 items"),
        ("a: b: c", "c.yaml:1:5: mapping values are not allowed in this context"),
        ("- a", "c.yaml:1: this document is a list, not a mapping"),
        (TEXT + TEXT, 'c.yaml:4:1: the key "sources" is stated twice'),
        (TEXT + "---\n" + TEXT, "c.yaml: there is more than one document in this file"),
        (TEXT + "    intervall: 60s\n", 'c.yaml:4:5: sources[0].intervall: unknown field "intervall"'),
        (TEXT + "    interval: 1 minute\n", '"1 minute" is not a number of seconds or a duration such as 60s or 1m'),
        (TEXT + "    interval: 0s\n", "sources[0].interval: 0s is less than 1 second"),
        (TEXT + "    timeout: 0\n", "sources[0].timeout: 0 is not more than 0"),
        (TEXT + "    ref: --upload-pack=x\n", '"--upload-pack=x" is not a branch, a tag, a commit or semver:<range>'),
        (TEXT + "    paths: [../x]\n", '"../x" is not a path inside the repository'),
        (TEXT + "    paths: [/x]\n", '"/x" is not a path inside the repository'),
        (TEXT + "    namespaces: [a]\n", "the source's namespace default is not among its namespaces"),
        (TEXT + "    drift: heel\n", '"heel" is not one of heal, alert, ignore'),
        (TEXT + "    verification: {}\n", 'the field "verification" is not supported yet'),
        (
            TEXT + "  - {name: shop, url: /srv/x}\n",
            'c.yaml:4:12: sources[1].name: "shop" is the name of sources[0] already',
        ),
        (TEXT.replace("shop\n", "Shop\n"), '"Shop" is not a DNS label'),
        (TEXT + "pools: []\n", 'c.yaml:4:1: pools: unknown field "pools"'),
        (TEXT + "listen: 0.0.0.0:99999\n", "listen: 99999 is not a port from 1 to 65535"),
        (TEXT.replace("https://", "ext::sh -c "), "sources[0].url: the value is not an https, ssh or file URL"),
        (TEXT.replace("https://", "-u"), "sources[0].url: the value is not an https, ssh or file URL"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(text, "c.yaml")
    assert message in str(caught.value)


def test_everything_wrong_is_said_at_once_with_places() -> None:
    with pytest.raises(ConfigRefused) as caught:
        load_config(TEXT + "    adopt: maybe\n    drft: heal\nconcurrency: 0\n", "c.yaml")
    assert list(caught.value.diagnostics()) == [
        'c.yaml:4:12: sources[0].adopt: "maybe" is not true or false',
        "  |    adopt: maybe",
        'c.yaml:5:5: sources[0].drft: unknown field "drft"',
        "  |    drft: heal",
        "  hint: did you mean drift?",
        "c.yaml:6:14: concurrency: 0 is less than 1",
        "  |concurrency: 0",
    ]


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigRefused) as caught:
        load_config(TEXT.replace("https://", "https://bot:hunter2@"), "c.yaml")
    assert "hunter2" not in "\n".join([str(caught.value), *caught.value.diagnostics()])
    assert "credentials.passwordFile" in caught.value.hint


def test_a_file(tmp_path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    assert read_config(str(path)).sources[0].name == "shop"
    with pytest.raises(ConfigError, match="No such file"):
        read_config(str(tmp_path / "nowhere.yaml"))
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_config(str(path))
