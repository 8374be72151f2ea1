"""How an object is to be treated, read from its annotations, whose values the specs room has found valid."""

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from reconciler.kube.names import Identity
from reconciler.model.config import DriftRule
from reconciler.model.manifest import (
    ANNOTATION_ADOPT,
    ANNOTATION_DRIFT,
    ANNOTATION_IGNORE,
    ANNOTATION_PRUNE,
    ANNOTATION_REPLACE,
    DriftMode,
    Policy,
)
from reconciler.model.reference import references
from reconciler.model.rules import IgnoreRule

_STRICTER: Final = (DriftMode.IGNORE, DriftMode.ALERT, DriftMode.HEAL)  # in this order


class Rules(NamedTuple):
    """What treats many objects alike: rules of the daemon's configuration and of the repository.

    Not `known`: the repository's are not all known.
    """

    drift: tuple[DriftRule, ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()
    known: bool = True


def ruled(
    treated: Policy, identity: Identity, paths: tuple[str, ...], annotations: Mapping[str, str], rules: Rules
) -> Policy:
    """`treated` as `rules` have it for an object that the files `paths` state.

    The first drift rule that matches counts; an annotation can only make it stricter. Where it is not known which
    fields are left to others, nothing is healed.
    """
    drift = treated.drift
    if (rule := next((rule for rule in rules.drift if _matches(rule, identity, paths)), None)) is not None:
        stated = drift if ANNOTATION_DRIFT in annotations else rule.mode
        drift = max(stated, rule.mode, key=_STRICTER.index)
    if not rules.known:
        drift = min(drift, DriftMode.ALERT, key=_STRICTER.index)
    matching = [rule for rule in rules.ignore if rule.matches(identity)]
    if drift is treated.drift and not matching:
        return treated
    fields = {*treated.ignore, *(field for rule in matching for field in rule.fields)}
    managers = {manager for rule in matching for manager in rule.managers}
    return replace(treated, drift=drift, ignore=tuple(sorted(fields)), managers=tuple(sorted(managers)))


def _matches(rule: DriftRule, identity: Identity, paths: tuple[str, ...]) -> bool:
    of_file = not rule.paths or any(fnmatchcase(path, glob) for glob in rule.paths for path in paths)
    return of_file and (not rule.objects or any(fnmatchcase(str(identity), glob) for glob in rule.objects))


def policy(annotations: Mapping[str, str], *, adopt: bool, drift: DriftMode) -> Policy:
    """The policy that `annotations` state; `adopt` and `drift` are the source's settings, for what they leave open."""
    return Policy(
        prune=annotations.get(ANNOTATION_PRUNE) != "false",
        replace=annotations.get(ANNOTATION_REPLACE) == "true",
        adopt=annotations.get(ANNOTATION_ADOPT, "true" if adopt else "false") == "true",
        drift=DriftMode(annotations.get(ANNOTATION_DRIFT, drift)),
        ignore=tuple(sorted(set(references(annotations.get(ANNOTATION_IGNORE, ""))))),
    )
