"""What all tests share: how much Hypothesis tries, and that Ctrl-C reaches the programs that they start."""

import os
import signal

from amount import MORE, phases
from hypothesis import HealthCheck, settings

# A busy machine makes an example slow, not wrong. In CI the same examples are tried each time: what new ones would show
# is found at people's desks and by the full counts, and keeps no unrelated change from landing.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=os.environ.get("CI") == "true" and MORE == 1,
    max_examples=100 * MORE,
    phases=phases(),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")

# A shell starts what runs in its background with SIGINT ignored. Children inherit that; a handler they do not inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
