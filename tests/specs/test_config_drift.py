"""What the daemon's configuration says of drift."""

import pytest

from reconciler.model.config import DriftRule, MaintenanceWindow
from reconciler.model.manifest import DriftMode
from reconciler.specs.config import ConfigRefused, load_config

TEXT = """\
sources:
  - name: shop
    url: https://git.example.com/shop/specs.git
"""


def test_everything_stated() -> None:
    config = load_config(
        TEXT
        + """\
    driftRules:
      - {paths: [env/prod/*], mode: alert}
      - {objects: [Secret/*/*], mode: ignore}
    maintenance:
      - {schedule: "0 22 * * 6", timeZone: Europe/Berlin, duration: 4h}
      - {schedule: "*/30 1 * * *", duration: 60}
fullCheck: 30m
""",
        "config.yaml",
    )
    (source,) = config.sources
    assert source.drift_rules == (
        DriftRule(DriftMode.ALERT, paths=("env/prod/*",)),
        DriftRule(DriftMode.IGNORE, objects=("Secret/*/*",)),
    )
    assert source.maintenance == (
        MaintenanceWindow("0 22 * * 6", 4 * 3600.0, "Europe/Berlin"),
        MaintenanceWindow("*/30 1 * * *", 60.0),
    )
    assert config.full_check == 1800.0


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("    driftRules: [{mode: alert}]\n", "a rule names paths, objects or both"),
        ("    driftRules: [{paths: [x], mode: mend}]\n", '"mend" is not one of heal, alert, ignore'),
        ("    driftRules: [{objects: [web], mode: heal}]\n", '"web" is not Kind/namespace/name'),
        ("    maintenance: [{schedule: 0 25 * * *, duration: 1h}]\n", '"0 25 * * *" is not a cron schedule'),
        ("    maintenance: [{schedule: 0 0 30 2 *, duration: 1h}]\n", "never comes due"),
        ("    maintenance: [{schedule: daily, duration: 1h}]\n", '"daily" is not a cron schedule of five fields'),
        (
            "    maintenance: [{schedule: 0 1 * * *, duration: 1h, timeZone: Moon/Crater}]\n",
            '"Moon/Crater" is not a time zone',
        ),
        ("    maintenance: [{schedule: 0 1 * * *, duration: 8d}]\n", "8d is not between a second and a week"),
        ("    maintenance: [{schedule: 0 1 * * *, duration: 0}]\n", "0 is not more than 0"),
        ("fullCheck: 10s\n", "10s is not between a minute and a day"),
        ("fullCheck: 5\n", "5 is less than 60"),
    ],
)
def test_what_cannot_be_meant_is_refused(stated: str, said: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load_config(TEXT + stated, "config.yaml")
    assert said in "\n".join(refused.value.diagnostics())
