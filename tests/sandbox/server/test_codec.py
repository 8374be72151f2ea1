"""How the server reads objects: Go's rules over JSON, and protobuf."""

import json
import struct as packing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_api import DEPLOYMENTS, Api, deployment

from reconciler.sandbox import gotypes, protobuf
from reconciler.sandbox.goscalars import Reading, TypeMismatch
from reconciler.sandbox.gotypes import Struct

KINDS = ["apps/v1.Deployment", "core/v1.Service", "batch/v1.CronJob", "networking/v1.Ingress", "core/v1.ConfigMap"]

SCALARS = {
    "string": st.text("abc", max_size=3),
    "bool": st.booleans(),
    "int32": st.integers(-9, 9),
    "int64": st.integers(-9, 9),
    "float64": st.integers(-9, 9),
    "any": st.none(),
    "bytes": st.just("eA=="),
    "time": st.just("2026-01-01T00:00:00Z"),
    "microtime": st.just("2026-01-01T00:00:00.000000Z"),
    "duration": st.just("5s"),
    "quantity": st.sampled_from(["1", 0.5, "100Mi", "1000m"]),
    "intorstring": st.sampled_from([1, "25%"]),
}


def values(kind: str, depth: int = 5) -> st.SearchStrategy[Any]:
    """Anything that a Go type can hold, nulls included."""
    if kind in SCALARS:
        return SCALARS[kind]
    if kind.startswith("[]"):
        return st.lists(values(kind[2:], depth), max_size=2 if depth else 0)
    if kind.startswith("map:"):
        return st.dictionaries(
            st.text("xyz", min_size=1, max_size=2), values(kind[4:], depth), max_size=2 if depth else 0
        )
    found = gotypes.struct(kind.removeprefix("either:"))
    if not depth:
        return st.just({})
    names = sorted(found.types)
    return st.lists(st.sampled_from(names), unique=True, max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries(
            {name: st.none() | values(found.types[name][1], depth - 1) for name in chosen}
        )
    )


@settings(max_examples=40)
@given(st.data())
def test_reading_and_completing_twice_changes_nothing_more(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    found = gotypes.struct(kind)
    once = found.read(data.draw(values(kind)), Reading())
    found.default(once)
    again = found.read(json.loads(json.dumps(once)), Reading())
    found.default(again)
    assert again == once


def test_empty_fields_go_or_stay_as_their_type_says() -> None:
    stated = {"metadata": {"labels": {}, "creationTimestamp": None}}
    found = gotypes.struct("rbac/v1.ClusterRole").read(stated, Reading())
    assert found == {"metadata": {}, "rules": None}
    container = gotypes.struct("core/v1.Container").read({"stdin": False, "args": [], "securityContext": {}}, Reading())
    assert container == {"name": "", "resources": {}, "securityContext": {}}


def test_a_mismatch_says_where() -> None:
    with pytest.raises(TypeMismatch) as caught:
        gotypes.struct("apps/v1.Deployment").read(
            {"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"ports": [{"containerPort": "http"}]}]}}}},
            Reading(),
        )
    assert caught.value.where() == "spec.template.spec.containers[1].ports[0].containerPort"
    assert (caught.value.found, caught.value.wanted) == ("string", "int32")


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1.5, True, "1", [], {}])
def test_what_is_no_int32(value: Any) -> None:
    with pytest.raises(TypeMismatch):
        gotypes.struct("apps/v1.DeploymentSpec").read({"replicas": value}, Reading())


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _field(number: int, payload: bytes | int) -> bytes:
    if isinstance(payload, int):
        return _varint(number << 3) + _varint(payload)
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def encode(of: Struct, value: dict[str, Any]) -> bytes:
    """Protobuf as Kubernetes' own clients write it: what `protobuf.decode` is the reverse of."""
    out = b""
    for number, (name, kind) in sorted(of.numbers.items()):
        if not name:
            out += _field(number, encode(gotypes.struct(kind), value))
        elif value.get(name) is not None:
            out += _member(number, kind, value[name])
    return out


def _member(number: int, kind: str, value: Any) -> bytes:
    if kind.startswith("[]"):
        return b"".join(_field(number, _payload(kind[2:], item)) for item in value)
    if kind.startswith("map:"):
        entries = (_field(1, key.encode()) + _field(2, _payload(kind[4:], item)) for key, item in value.items())
        return b"".join(_field(number, entry) for entry in entries)
    if kind == "float64":
        return _varint(number << 3 | 1) + packing.pack("<d", value)
    return _field(number, _payload(kind, value))


def _payload(kind: str, value: Any) -> bytes | int:
    if kind == "string":
        return str(value).encode()
    if kind in ("int32", "int64", "bool"):
        return int(value)
    if kind == "quantity":
        return _field(1, str(value).encode())
    if kind == "intorstring":
        return _field(1, 1) + _field(3, value.encode()) if isinstance(value, str) else _field(1, 0) + _field(2, value)
    if kind == "time":
        return _field(1, 1767225600)  # the one moment that SCALARS has
    assert kind in gotypes._table(), kind
    return encode(gotypes.struct(kind), value)


def envelope(api_version: str, kind: str, message: bytes) -> bytes:
    about = _field(1, api_version.encode()) + _field(2, kind.encode())
    return b"k8s\x00" + _field(1, about) + _field(2, message)


@settings(max_examples=40)
@given(st.data())
def test_protobuf_says_what_json_says(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["apps/v1.Deployment", "core/v1.Service", "networking/v1.Ingress"]))
    found = gotypes.struct(kind)
    value = {
        name: part for name, part in data.draw(values(kind)).items() if name not in ("apiVersion", "kind", "metadata")
    }
    value = {**found.read(value, Reading()), "metadata": {"name": "x", "labels": {"a": "b"}}}
    group, name = kind.split("/v1.")
    api_version = {"core": "v1", "networking": "networking.k8s.io/v1"}.get(group, f"{group}/v1")
    body = envelope(api_version, name, encode(found, value))
    decoded = protobuf.decode(body)
    assert found.read(decoded, Reading()) == {**found.read(value, Reading()), "apiVersion": api_version, "kind": name}


def test_a_protobuf_body_makes_the_same_object(api: Api) -> None:
    stated = deployment()
    message = encode(gotypes.struct("apps/v1.Deployment"), stated)
    body = envelope("apps/v1", "Deployment", message)
    made = api.call("POST", DEPLOYMENTS, body, media=protobuf.MEDIA, dryRun="All").body
    expected = api.post(DEPLOYMENTS, stated, dryRun="All").body
    assert made["spec"] == expected["spec"]


@pytest.mark.parametrize("body", [b"", b"k8s\x00", b"k8s\x00\x0a\xff", b"{}", envelope("v1", "Nothing", b"")])
def test_broken_protobuf_is_a_bad_request(api: Api, body: bytes) -> None:
    assert api.call("POST", DEPLOYMENTS, body, media=protobuf.MEDIA).status == 400
