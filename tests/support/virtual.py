"""Tests in virtual time."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from reconciler.clock import run_virtual


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An async test that runs on a loop whose time jumps: an hour of waiting costs nothing."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run
