"""What differs from kind to kind: how an object is prepared, what is refused, and how it is deleted."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.sandbox import naming
from reconciler.sandbox.refusals import Cause

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]
IMMUTABLE = "field is immutable"


class Causes(list[Cause]):
    """What is wrong with an object, field by field, in the server's words."""

    def required(self, field: str, why: str = "") -> None:
        self.append(Cause("FieldValueRequired", f"Required value{': ' + why if why else ''}", field))

    def invalid(self, field: str, value: Any, why: str) -> None:
        self.append(Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {why}", field))

    def unsupported(self, field: str, value: Any, supported: Iterable[str]) -> None:
        words = ", ".join(f'"{word}"' for word in sorted(supported))
        self.append(
            Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {words}", field)
        )

    def duplicate(self, field: str, value: Any) -> None:
        self.append(Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", field))

    def forbidden(self, field: str, why: str) -> None:
        self.append(Cause("FieldValueForbidden", f"Forbidden: {why}", field))

    def not_found(self, field: str, value: Any) -> None:
        self.append(Cause("FieldValueNotFound", f"Not found: {shown(value)}", field))

    def too_long(self, field: str, limit: int) -> None:
        self.append(Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field))

    def too_many(self, field: str, limit: int) -> None:
        self.append(Cause("FieldValueTooMany", f"Too many: must have at most {limit} items", field))

    def immutable(self, field: str, new: Any, old: Any, why: str = IMMUTABLE) -> None:
        """Refuse a change of a field that may not change; absent equals empty."""
        if (new or None) != (old or None):
            self.invalid(field, new, why)

    def words(self, field: str, value: Any, problems: Iterable[str]) -> None:
        for problem in problems:
            self.invalid(field, value, problem)


def shown(value: Any) -> str:
    """A value as a message shows it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """The defaults are those of most kinds. A hook may change the objects that it prepares, never those it validates.

    `before_create` and `before_update` run before validation, after managedFields were computed: what they set has no
    owner. `validate` sees each object that is written through its main resource, `validate_create` only new ones,
    `validate_update` also the old one; `validate_status` sees both of a write to the status.
    `admit` sees a new object, or an updated one and the old, once nothing else is wrong with it.
    `assign` gives an object what is scarce before it is validated. `after_write` runs when the object is stored, with
    the one that was there before, `after_delete` when it is gone; a dry run does neither.
    """

    name: Callable[[str], list[str]] = naming.dns_subdomain
    generation: bool = False
    plain_finalizers: bool = False  # a finalizer needs no group
    generation_ignores_status: bool = True
    metadata_last: bool = False  # of a new object the metadata is looked at only where the rest is as it should be
    before_create: Callable[[Value, "Core"], None] | None = None
    before_update: Callable[[Value, Value, "Core"], None] | None = None
    before_status: Callable[[Value, Value], None] | None = None
    validate: Callable[[Value, Causes], None] | None = None
    validate_create: Callable[[Value, Causes], None] | None = None
    validate_update: Callable[[Value, Value, Causes], None] | None = None
    validate_status: Callable[[Value, Value, Causes], None] | None = None
    admit: Callable[[Value, Value | None, Causes], None] | None = None
    assign: Callable[[Value, Value | None, "Core", bool], None] | None = None  # the last: a dry run
    after_write: Callable[[Value, Value | None, "Core"], None] | None = None
    after_delete: Callable[[Value, "Core"], None] | None = None
    generation_also: tuple[str, ...] = ()  # metadata fields whose change counts as one of the spec
    keeps_status: bool = False  # a new object keeps the status that it states
    create_on_update: bool = False
    unconditional_update: bool = True
    returns_deleted: bool = False
    orphans: bool = False  # dependents are left alone unless the deletion says otherwise
    collected: bool = True  # whether deletion options may leave finalizers to the garbage collector


PLAIN = Rules()
