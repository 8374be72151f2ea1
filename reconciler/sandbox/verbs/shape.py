"""The forms in which an object or a list can be answered: as it is, metadata only, or rows of a table."""

from typing import Any

import msgspec

from reconciler.sandbox.refusals import Refusal
from reconciler.sandbox.tables.table import row_of, table_of
from reconciler.sandbox.verbs.call import Call

Value = dict[str, Any]


def shape_object(call: Call, value: Value) -> Value:
    """One object in the form that was asked for. A Status always stays what it is."""
    shape = call.accept.shape
    if not shape or value.get("kind") == "Status":
        return value
    if shape == "Table":
        rows = [row(call, value)]
        return table_of(call.kind, rows, value["metadata"].get("resourceVersion", ""))
    if shape == "PartialObjectMetadata":
        return partial(value)
    raise Refusal(406, "NotAcceptable", "only lists can be answered as PartialObjectMetadataList")


def partial(value: Value) -> Value:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"]}


def row(call: Call, value: Value) -> Value:
    """One row; with it the object, its metadata or nothing, as `includeObject` says."""
    include = call.query.get("includeObject") or "Metadata"
    found: Value = {"cells": row_of(call.kind, value, call.core.time())}
    found["object"] = value if include == "Object" else partial(value) if include == "Metadata" else None
    return found


def shape_list(call: Call, bodies: list[bytes], about: Value) -> bytes:
    """A list of objects, given as JSON in the call's version, in the form that was asked for."""
    kind, shape = call.kind, call.accept.shape
    if shape == "Table":
        rows = [row(call, msgspec.json.decode(body)) for body in bodies]
        table = table_of(kind, rows, about["resourceVersion"])
        table["metadata"] = about
        return msgspec.json.encode(table)
    if shape in ("PartialObjectMetadataList", "PartialObjectMetadata"):
        items = [partial(msgspec.json.decode(body)) for body in bodies]
        whole = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": about, "items": items}
        return msgspec.json.encode(whole)
    head = {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": about}
    if not kind.custom:  # items of typed lists do not repeat their kind
        skip = len(msgspec.json.encode({"kind": kind.resource.kind, "apiVersion": kind.api_version}))
        bodies = [b"{" + body[skip:] for body in bodies]
    return b"".join((msgspec.json.encode(head)[:-1], b',"items":[', b",".join(bodies), b"]}\n"))
