"""The alerts of the daemon's configuration."""

import pytest

from reconciler.model.alerting import AlertsConfig, LogReceiver, ReceiverConfig, Route, SlackReceiver, Urgency
from reconciler.model.event import Topic
from reconciler.specs.config import ConfigRefused, load_config

SOURCES = "sources: [{name: shop, url: /srv/shop}]\n"
TEXT = SOURCES + "alerts:\n  receivers:\n  - name: team\n    slack: {urlFile: /etc/url}\n  - name: here\n    log: {}\n"


def test_without_any_nobody_is_told() -> None:
    assert load_config(SOURCES, "c.yaml").alerts == AlertsConfig()


def test_everything_stated() -> None:
    alerts = load_config(
        TEXT
        + """\
  routes:
  - {receivers: [here], continue: true}
  - {receivers: [team], sources: [shop, "b*"], topics: [drift], severity: warning, objects: ["Deployment/shop/*"]}
  groupWait: 0
  groupInterval: 5m
  reminder: 12h
""",
        "c.yaml",
    ).alerts
    assert alerts.receivers == (
        ReceiverConfig("team", slack=SlackReceiver("/etc/url")),
        ReceiverConfig("here", log=LogReceiver()),
    )
    assert alerts.routes == (
        Route(("here",), continue_=True),
        Route(("team",), ("shop", "b*"), (Topic.DRIFT,), Urgency.WARNING, ("Deployment/shop/*",)),
    )
    assert (alerts.group_wait, alerts.group_interval, alerts.reminder) == (0, 300, 43_200)


def receivers(text: str) -> str:
    return SOURCES + f"alerts:\n  receivers:\n  - {text}\n"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (receivers("{name: a}"), "c.yaml:4:5: alerts.receivers[0]: a receiver has exactly one of slack, http,", ""),
        (receivers("{name: a, log: {}, kubernetes: {}}"), "a receiver has exactly one of", ""),
        (
            receivers("{name: a, slack: {url: https://hooks.example.com/x}}"),
            'the required field "urlFile" is missing',
            "",
        ),
        (receivers("{name: a, alertmanager: {url: ftp://a}}"), "the value is not an http or https URL", ""),
        (
            TEXT + "  - {name: team, log: {}}\n",
            'c.yaml:8:12: alerts.receivers[2].name: "team" is the name of alerts.receivers[0] already',
            "unique",
        ),
        (
            TEXT + "  routes: [{receivers: [taem]}]\n",
            'c.yaml:8:25: alerts.routes[0].receivers[0]: there is no receiver "taem"',
            "did you mean team?",
        ),
        (
            TEXT + "  routes: [{receivers: [team], sources: [shpo]}]\n",
            'alerts.routes[0].sources[0]: there is no source "shpo"',
            "did you mean shop?",
        ),
        (
            TEXT + "    message: {title: '$what $who'}\n",
            "c.yaml:8:22: alerts.receivers[1].message.title: there is no placeholder $who",
            "placeholders here: $count, $install, $severity, $source, $topic, $what, $where",
        ),
        (TEXT + "    message: {line: 'costs $5'}\n", "message.line: a $ begins no placeholder", "write $$"),
        (TEXT + "    message: {line: '${object.__class__}'}\n", "message.line: a $ begins no placeholder", "write $$"),
        (TEXT + "  reminder: daily\n", '"daily" is not a number of seconds or a duration such as 12h or 1d', ""),
        (TEXT + "  groupWait: -1\n", "alerts.groupWait: -1 is less than 0", ""),
        (TEXT + "  routes: [{receivers: [team], topics: [drifts]}]\n", '"drifts" is not one of', "did you mean drift?"),
    ],
)
def test_refusals(text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        load_config(text, "c.yaml")
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ConfigRefused) as caught:
        load_config(receivers("{name: a, alertmanager: {url: 'https://bot:hunter2@am.example.com'}}"), "c.yaml")
    assert "hunter2" not in "\n".join([str(caught.value), *caught.value.diagnostics()])
