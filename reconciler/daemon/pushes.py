"""From a push that a forge tells of to the sources that it concerns."""

from collections.abc import Callable, Iterable, Sequence

from reconciler.forge.webhooks import Event, Push
from reconciler.model.config import SourceConfig
from reconciler.source.address import is_commit
from reconciler.source.place import place_of
from reconciler.source.refs import SEMVER


class Pushes:
    """Has sources polled that were pushed to. Until `poll` is set there is nothing to hasten: all are polled anyway."""

    def __init__(self, sources: Sequence[SourceConfig]) -> None:
        self.poll: Callable[[str], None] | None = None
        self._sources = sources

    def take(self, event: Event) -> bool:
        """Whether the event is of interest. From a callback."""
        names = concerned(event, self._sources) if isinstance(event, Push) else ()
        for name in names:
            if self.poll is not None:
                self.poll(name)
        return bool(names)


def concerned(push: Push, sources: Iterable[SourceConfig]) -> Sequence[str]:
    """Names of the sources that watch what was pushed to. A poll too many costs one `ls-remote`."""
    places = {place for address in push.addresses if (place := place_of(address))}
    return [s.name for s in sources if not s.suspend and place_of(s.url) in places and _watches(s.ref, push.ref)]


def _watches(ref: str, pushed: str) -> bool:
    if ref.startswith(SEMVER):
        return pushed.startswith("refs/tags/")
    if ref == "HEAD":  # which branch that is, the server knows
        return pushed.startswith("refs/heads/")
    if is_commit(ref):
        return False
    return pushed in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}")
