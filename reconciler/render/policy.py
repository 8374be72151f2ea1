"""How an object is to be treated, read from its annotations."""

import difflib
from collections.abc import Mapping
from typing import Final

from reconciler.model.manifest import (
    ANNOTATION_ADOPT,
    ANNOTATION_DEPENDS_ON,
    ANNOTATION_DRIFT,
    ANNOTATION_ID,
    ANNOTATION_IGNORE,
    ANNOTATION_ORIGIN,
    ANNOTATION_PRUNE,
    ANNOTATION_REPLACE,
    ANNOTATION_SPEC,
    DriftMode,
    Policy,
)
from reconciler.model.spec import GROUP
from reconciler.render.refusal import Refusal

PREFIX: Final = f"{GROUP}/"
_STATED: Final = (
    ANNOTATION_ADOPT,
    ANNOTATION_DEPENDS_ON,
    ANNOTATION_DRIFT,
    ANNOTATION_IGNORE,
    ANNOTATION_PRUNE,
    ANNOTATION_REPLACE,
)
_STAMPED: Final = (ANNOTATION_ID, ANNOTATION_ORIGIN, ANNOTATION_SPEC)  # a copied object has them; they are replaced


def policy(annotations: Mapping[str, str], *, adopt: bool, drift: DriftMode) -> Policy:
    """The policy that `annotations` state; `adopt` and `drift` are the source's settings, for what they leave open.

    Raises Refusal for a value or a name under `reconciler.dev/` that means nothing: a misspelt `prune: "false"` must
    not end in a deletion.
    """
    for name in annotations:
        if name.startswith(PREFIX) and name not in _STATED and name not in _STAMPED:
            close = difflib.get_close_matches(name.removeprefix(PREFIX), [n.removeprefix(PREFIX) for n in _STATED], 1)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else f"known are {', '.join(_STATED)}"
            raise Refusal("unknown-annotation", f"metadata.annotations[{name}]", "not an annotation of ours", hint=hint)
    return Policy(
        prune=_flag(annotations, ANNOTATION_PRUNE, default=True),
        replace=_flag(annotations, ANNOTATION_REPLACE, default=False),
        adopt=_flag(annotations, ANNOTATION_ADOPT, default=adopt),
        drift=_drift(annotations, drift),
        ignore=_pointers(annotations),
    )


def _flag(annotations: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = annotations.get(name)
    if value is None:
        return default
    if value not in ("true", "false"):
        raise _bad(name, value, 'write "true" or "false"')
    return value == "true"


def _drift(annotations: Mapping[str, str], default: DriftMode) -> DriftMode:
    value = annotations.get(ANNOTATION_DRIFT)
    if value is None:
        return default
    try:
        return DriftMode(value)
    except ValueError:
        raise _bad(ANNOTATION_DRIFT, value, f"write one of {', '.join(DriftMode)}") from None


def _pointers(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """JSON pointers, separated by commas, spaces or line ends."""
    pointers = annotations.get(ANNOTATION_IGNORE, "").replace(",", " ").split()
    for pointer in pointers:
        if not pointer.startswith("/"):
            raise _bad(ANNOTATION_IGNORE, pointer, 'a JSON pointer begins with "/": /spec/replicas')
    return tuple(sorted(set(pointers)))


def _bad(name: str, value: str, hint: str) -> Refusal:
    return Refusal("bad-annotation", f"metadata.annotations[{name}]", f'"{value}" means nothing here', hint=hint)
