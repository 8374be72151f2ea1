"""How answers are wanted and bodies are given: Accept, Content-Type, JSON and YAML."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from reconciler.kube.media import APPLY, JSON
from reconciler.sandbox import protobuf
from reconciler.sandbox.refusals import bad_request, not_acceptable, unsupported_media_type

YAML: Final = "application/yaml"
ACCEPTED: Final = (JSON, YAML, protobuf.MEDIA)


class Accept(NamedTuple):
    """The form of an answer. `shape` is "" for the object itself, else "Table", "PartialObjectMetadata", …"""

    media: str
    shape: str = ""
    group: str = ""
    version: str = ""

    @property
    def content_type(self) -> str:
        if not self.shape or self.group == "meta.k8s.io":
            return self.media
        return f"{self.media};g={self.group};v={self.version};as={self.shape}"


_KNOWN: Final = {
    ("Table", "meta.k8s.io", "v1"),
    ("PartialObjectMetadata", "meta.k8s.io", "v1"),
    ("PartialObjectMetadataList", "meta.k8s.io", "v1"),
    ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"),
}
_PLAIN: Final = Accept(JSON)


def accept(header: str) -> Accept:
    """The first form of an Accept header that can be served. Raises Refusal (406)."""
    if not header or header in ("application/json", "*/*"):
        return _PLAIN
    for item in header.split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media in ("*/*", "application/*"):
            media = JSON
        if media not in (JSON, YAML):
            continue
        shape = options.get("as", "")
        if not shape:
            return Accept(media)
        if (shape, options.get("g", ""), options.get("v", "")) in _KNOWN:
            return Accept(media, shape, options["g"], options["v"])
    raise not_acceptable(ACCEPTED)


def media_type(headers: Mapping[str, str]) -> str:
    """Of a request's body; JSON where it is not said."""
    return headers.get("content-type", JSON).split(";", 1)[0].strip() or JSON


def decode(body: bytes, media: str = JSON) -> Any:
    """A body as a JSON value. Raises Refusal (400, 415)."""
    if media == JSON:
        return decode_json(body)
    if media == protobuf.MEDIA:
        try:
            return protobuf.decode(body)
        except protobuf.Malformed as error:
            raise bad_request(str(error)) from None
    if media in (YAML, APPLY, "text/yaml"):
        return decode_yaml(body)
    raise unsupported_media_type(ACCEPTED)


def decode_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding JSON: {error}") from None


def decode_yaml(body: bytes) -> Any:
    """YAML, of which JSON is the part that machines send: that is tried first because it is a hundred times faster."""
    if body.lstrip()[:1] == b"{":
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            pass
    import yaml

    try:
        return _plain(yaml.load(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from None


def _plain(value: Any) -> Any:
    """YAML's own types as JSON has them: dates as text, keys as strings."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else _key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def encode(value: Any, media: str = JSON) -> bytes:
    if media == YAML:
        import yaml

        text: str = yaml.dump(value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
        return text.encode()
    return msgspec.json.encode(value)
