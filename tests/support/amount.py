"""How much a property tries. RECONCILER_EXAMPLES multiplies it (docs/testing.md)."""

import os

from hypothesis import settings

MORE = int(os.environ.get("RECONCILER_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """`count` examples in the default run."""
    return settings(max_examples=count * MORE)
