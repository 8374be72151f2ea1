"""The garbage collector, told what most objects here are: a repository's, which live as long as the process."""

import gc
from typing import Final

_YOUNG: Final = 20_000  # objects between two looks at the youngest; Python's own number is 700
_OLDER: Final = (20, 50)  # looks at a generation between two at the next one; Python's own numbers are 10 and 10


def collect_seldom() -> None:
    """Look for garbage less often: walking all of a repository again and again is a sixth of a first pass."""
    gc.set_threshold(_YOUNG, *_OLDER)
