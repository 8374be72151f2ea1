"""Which object a person means by KIND/NAME, as kubectl would have it; and where there is none, what may be meant."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from reconciler.errors import ConfigError, ReconcilerError
from reconciler.kube.kinds import DEPLOYMENT
from reconciler.kube.names import GroupKind, Identity
from reconciler.kube.resources import Resource
from reconciler.model.manifest import ANNOTATION_SPEC

if TYPE_CHECKING:
    from reconciler.cli.session import Session
    from reconciler.model.change import Live

_DEFAULT: Final = "default"
_NAMED: Final = 5  # that a hint names at most
_USUAL: Final = ("", "apps", "batch")  # groups, where a word is a kind of several


async def meant(it: "Session", word: str, namespace: str) -> "list[Live]":
    """One object; of a Task its newest Job, or its CronJob; of a Deployment in shares all its parts.

    `namespace` is "" where none was stated beside `word`. Raises ConfigError where there is no such object.
    """
    parts = word.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise ConfigError(f"{word!r} names no object", hint="write KIND/NAME or KIND/NAMESPACE/NAME")
    stated = parts[1] if len(parts) == 3 else namespace
    if parts[0].lower() in ("task", "tasks"):
        return [await _newest(it, stated, parts[-1])]
    await it.cluster.discovery.refresh()
    kind = _kind(it, parts[0])
    space = stated or _DEFAULT if it.cluster.discovery.resources[kind].namespaced else ""
    identity = Identity(kind.group, kind.kind, space, parts[-1])
    if (live := await it.cluster.get(identity)) is not None:
        return [live]
    if kind == DEPLOYMENT and (made := await _made_by(it, kind, str(identity))):
        return made
    there = [(each.identity.namespace, each.identity.name) for each in await _listed(it, kind)]
    raise ConfigError(f"there is no {identity}", hint=_hint(kind.kind, identity.name, space, stated, there))


async def _newest(it: "Session", stated: str, name: str) -> "Live":
    """Of a Task's Jobs, or its CronJob."""
    task = f"Task/{stated or _DEFAULT}/{name}"
    kinds = [GroupKind("batch", kind) for kind in ("Job", "CronJob")]
    runs = [live for kind in kinds for live in await _made_by(it, kind, task)]
    if not runs:
        specs = [live.annotations.get(ANNOTATION_SPEC, "") for kind in kinds for live in await _listed(it, kind)]
        parts = [spec.split("/") for spec in specs if spec.startswith("Task/")]
        there = [(space, each) for _, space, each in parts]
        raise ConfigError(f"no Job of {task} is there", hint=_hint("Task", name, stated or _DEFAULT, stated, there))
    return max(runs, key=lambda live: str(live.metadata.get("creationTimestamp")))


async def _made_by(it: "Session", kind: GroupKind, document: str) -> "list[Live]":
    """The objects of a kind that a document made, in its namespace, by name."""
    listed = await it.cluster.list(kind, document.split("/")[1])
    found = [live for live in listed if live.annotations.get(ANNOTATION_SPEC) == document]
    return sorted(found, key=lambda live: live.identity)


async def _listed(it: "Session", kind: GroupKind) -> "list[Live]":
    """The metadata of all objects of a kind; none where they may not be listed: it is for a hint only."""
    try:
        return list((await it.cluster.metadata(kind)).values())
    except ReconcilerError:
        return []


def _hint(kind: str, name: str, space: str, stated: str, there: Collection[tuple[str, str]]) -> str:
    """Where one of this name is, or one of nearly this name, or which there are. `there` are namespaces and names;
    `space` was looked into, "" for a kind that is in none."""
    elsewhere = sorted({space for space, each in there if each == name and space})
    if elsewhere:
        where = " and in ".join(elsewhere[:_NAMED])
        return f"there is one in namespace {where}: {kind.lower()}/{elsewhere[0]}/{name}"
    here = sorted({each for where, each in there if where == space})
    if close := get_close_matches(name, here, 1):
        return f"did you mean {kind.lower()}/{close[0]}?"
    if here:
        more = f" and {len(here) - _NAMED} more" if len(here) > _NAMED else ""
        return f"there {'are' if len(here) > 1 else 'is'} {', '.join(here[:_NAMED])}{more}"
    where = f" in namespace {space}" if space else ""
    return f"there is no {kind}{where} at all" + ("; -n NAMESPACE names another" if space and not stated else "")


def _kind(it: "Session", word: str) -> GroupKind:
    """By any of the names that kubectl knows it by."""
    resources = it.cluster.discovery.resources
    found = sorted(kind for kind, served in resources.items() if word.lower() in _names(served))
    if found:
        return next((kind for kind in found if kind.group in _USUAL), found[0])
    close = get_close_matches(word.lower(), sorted(each for served in resources.values() for each in _names(served)), 1)
    raise ConfigError(f"the cluster serves no kind {word!r}", hint=f"did you mean {close[0]}?" if close else "")


def _names(served: Resource) -> set[str]:
    names = {served.kind.lower(), served.plural, served.singular, *served.short_names}
    return names | {f"{each}.{served.group}" for each in names if served.group}
