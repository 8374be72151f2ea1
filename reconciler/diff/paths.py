"""Where a field is: paths in the words of `metadata.managedFields`.

A path is a tuple of FieldsV1 elements: `f:<name>` a field, `k:<json object>` an item of a keyed list, `v:<json>` a
value of a set, `i:<n>` an item of a list without keys. So it is compared with managedFields as it stands, unparsed.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kube import fieldset
from reconciler.kube.schema import Schema

Path = tuple[str, ...]


def is_map(schema: Schema, value: Any) -> bool:
    """Whether `value` is an object that appliers share field by field."""
    return isinstance(value, dict) and schema.shared_by_field


def is_items(schema: Schema, value: Any) -> bool:
    """Whether `value` is a list that appliers share item by item: a keyed list or a set."""
    return isinstance(value, list) and schema.shared_by_item


def keys_of(part: str) -> dict[str, Any]:
    """What a `k:` element says of its item."""
    keys: dict[str, Any] = json.loads(part[2:])
    return keys


def step(value: Any, schema: Schema, part: str) -> tuple[Any, Schema]:
    """What `part` leads to in `value`, and its schema. Raises KeyError where there is nothing."""
    kind, text = part[:2], part[2:]
    if kind == "f:":
        if not isinstance(value, dict) or value.get(text) is None:
            raise KeyError(part)
        return value[text], schema.member(text)
    if isinstance(value, list):
        if kind == "i:":
            index = int(text)
            if index < len(value):
                return value[index], schema.item
        else:
            for item in value:
                if fieldset.item_key(item, schema) == part:
                    return item, schema.item
    raise KeyError(part)


def resolve(pointer: str, value: Any, schema: Schema) -> Path | None:
    """The path that a JSON pointer (RFC 6901) means in `value`; None where an index leads nowhere.

    Names need not be there: `/spec/replicas` can be ignored before anybody states it.
    """
    path: list[str] = []
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            if not name.isdecimal() or int(name) >= len(value):
                return None
            item = value[int(name)]
            path.append(fieldset.item_key(item, schema) if is_items(schema, value) else f"i:{int(name)}")
            value, schema = item, schema.item
        else:
            path.append("f:" + name)
            value, schema = (value.get(name) if isinstance(value, dict) else None), schema.member(name)
    return tuple(path)


def under(path: Path, prefixes: Iterable[Path]) -> bool:
    """Whether `path` is one of `prefixes` or lies below one."""
    return any(path[: len(prefix)] == prefix for prefix in prefixes)


def owns(fields: Mapping[str, Any], path: Path, *, itself: bool = False) -> bool:
    """Whether a FieldsV1 document `fields` owns the field at `path` or, unless `itself` is meant, anything in it."""
    node: Any = fields
    for part in path:
        node = node.get(part)
        if node is None:
            return False
    return not itself or not node or "." in node


def render(path: Path) -> str:
    """For people: `spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP]`."""
    return fieldset.render(tuple(element for part in path if (element := fieldset.decode(part)) is not None))
