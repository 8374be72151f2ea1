"""What all tests share: how much Hypothesis tries, and nothing else."""

import os

from hypothesis import HealthCheck, settings

# A busy machine makes an example slow, not wrong. RECONCILER_EXAMPLES multiplies what a property tries (docs/testing.md).
_MORE = int(os.environ.get("RECONCILER_EXAMPLES", "1"))
settings.register_profile(
    "default", deadline=None, max_examples=100 * _MORE, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")
