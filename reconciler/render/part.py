"""One object that a document renders to, before it is stamped."""

from typing import Any, NamedTuple

from reconciler.model.shares import Portion


class Part(NamedTuple):
    """`main` parts are what others mean when they depend on the document, and what waits for its `dependsOn`.

    `once`, `suspended`, `planned` and `portion` are the Manifest's.
    """

    object: dict[str, Any]
    main: bool = False
    once: bool = False
    suspended: bool = False
    planned: tuple[str, ...] = ()
    portion: Portion | None = None
