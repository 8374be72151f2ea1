"""The two kinds of rules that an affinity holds, of nodes and of pods alike."""

from typing import Final

REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
