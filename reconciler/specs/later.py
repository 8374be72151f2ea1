"""Fields of the language that this version does not act on. They are refused with a hint, never ignored.

A field leaves this list in the change that acts on it and adds it to its schema.
"""

from collections.abc import Mapping
from typing import Final

HINT: Final = "not acted on in this version; leave it out"

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Image": (),
    "Deployment": ("spec.rollout.onFailure",),
    "Task": ("spec.onSupersede",),
    "config": ("sources[].serviceAccount", "sources[].verification"),
    "repository": ("guard",),
}
"""By kind (`config` is the daemon's configuration, `repository` a reconciler.yaml): paths as people write them.

`[]` stands for any item.
"""

VALUES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("Task", "spec.run"): ("manual", "once"),
}
"""Values of fields that are known."""
