"""Which digests need a signature, and which have been seen to have one."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from reconciler.images.reference import Reference
from reconciler.images.registry import Registry
from reconciler.images.signatures import Key, verify

_REMEMBERED: Final = 10_000


class Trust(NamedTuple):
    """Images of repositories whose whole name begins with `prefix` need a signature by one of `keys`; by none: none."""

    prefix: str
    keys: tuple[Key, ...]


class Trusted:
    """Asks for signatures where a rule says so. Of the rules that fit, the longest prefix counts."""

    def __init__(self, registry: Registry, rules: Sequence[Trust]) -> None:
        self._registry = registry
        self._rules = sorted(rules, key=lambda rule: len(rule.prefix), reverse=True)
        self._seen: dict[tuple[str, str], None] = {}

    async def check(self, image: Reference) -> None:
        """Raises ImageUntrusted where a signature is needed and none holds, and what the registry answers."""
        key = (str(image.repository), image.digest)
        rule = next((rule for rule in self._rules if key[0].startswith(rule.prefix)), None)
        if rule is None or not rule.keys or key in self._seen:
            return
        await verify(self._registry, image, rule.keys)
        if len(self._seen) >= _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = None
