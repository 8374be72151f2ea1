"""What all tests share: how much Hypothesis tries, and nothing else."""

from amount import MORE
from hypothesis import HealthCheck, settings

# A busy machine makes an example slow, not wrong.
settings.register_profile(
    "default", deadline=None, max_examples=100 * MORE, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")
