"""How much a property tries. RECONCILER_EXAMPLES multiplies it (docs/testing.md)."""

import os

from hypothesis import Phase, settings

MORE = int(os.environ.get("RECONCILER_EXAMPLES", "1"))
_TRIED = (Phase.explicit, Phase.reuse, Phase.generate)


def phases(*, quick: bool = True) -> tuple[Phase, ...]:
    """What is done about a failure. Making it small takes up to five minutes, more where one try is not `quick`: that
    is left to people at their desks, who may also ask for it (RECONCILER_SHRINK=1). The blob that is printed tries the
    same again."""
    wanted = quick and MORE == 1 and os.environ.get("CI") != "true"
    return (*_TRIED, Phase.shrink) if wanted or os.environ.get("RECONCILER_SHRINK") == "1" else _TRIED


def examples(count: int, *, quick: bool = True) -> settings:
    """`count` examples in the default run; `quick`: one takes a moment."""
    return settings(max_examples=count * MORE, phases=phases(quick=quick))
