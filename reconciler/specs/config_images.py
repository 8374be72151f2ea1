"""What a schema cannot say about the images of a configuration."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.model.duration import seconds
from reconciler.specs.finding import Finding, shown

JSON = Any

_DAY: Final = 86_400  # seconds


def beyond(images: Mapping[str, JSON]) -> Iterator[Finding]:
    """Everything that is wrong with `images`, which its schema accepts."""
    for path, least in ((("interval",), 10), (("build", "timeout"), 1)):
        inner: JSON = images
        for step in path:
            inner = inner.get(step, {})
        if isinstance(inner, str) and not least <= seconds(inner) <= _DAY:
            yield Finding("bad-value", ("images", *path), f"{inner} is not between {least} s and a day")
    for part, field, of in (("signatures", "prefix", images), ("hosts", "host", images.get("registries", {}))):
        where = ("images", "signatures") if part == "signatures" else ("images", "registries", "hosts")
        names: dict[str, int] = {}
        for at, one in enumerate(of.get(part, ())):
            first = names.setdefault(one[field], at)
            if first != at:
                message = f"{shown(one[field])} stands in {'.'.join(where)}[{first}] already"
                yield Finding("described-twice", (*where, at, field), message)
