"""What the exit codes mean. docs/cli.md repeats them and a test compares."""

from typing import Final

OK: Final = 0  # done, or nothing to do
ERROR: Final = 1  # something is wrong; it was said on standard error
CHANGES: Final = 2  # plan and diff: there is something to do; drift: something drifted
INTERRUPTED: Final = 130  # ended with ctrl-c
CLOSED: Final = 141  # whoever read the output went away, as `| head` does
