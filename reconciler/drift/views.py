"""Drift for people, in 80 columns, and for machines (docs/drift-json.md)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

from reconciler.clock import utc
from reconciler.diff.views.fields import INLINE, lines, shown, visible
from reconciler.model.change import ABSENT, FieldChange
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState, Wanted
from reconciler.model.manifest import MANAGER, DriftMode

VERSION: Final = 1
_WIDTH: Final = 80
_VALUE: Final = 60  # characters of a value that stands on one line
_ABBREVIATED: Final = 12  # digits of a commit


class Attributed(NamedTuple):
    """A drift, and for each of its fields where it was wanted; where it has none, one place for the object."""

    drift: Drift
    places: tuple[Wanted, ...] = ()
