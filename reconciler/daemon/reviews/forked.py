"""The review of a head that lies in a fork, from what the confined process says. Nothing that it says is trusted."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler.daemon.reviews.confined import Ended, Limits, run
from reconciler.daemon.reviews.isolation import Measure
from reconciler.daemon.reviews.promise import Promise, promise
from reconciler.errors import SourceRefused
from reconciler.forge.comment import fit
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, Action, Change, FieldChange
from reconciler.model.config import SourceConfig
from reconciler.model.deed import announced
from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level, ReviewRules, RiskCode
from reconciler.source.repository import GitSource

_HEAD: Final = "## "
_LONGEST: Final = 300  # characters of the summary, and of a line of a reason
_REASONS: Final = 3  # lines of one
_BECAUSE: Final = "because: "
_HINT: Final = "hint: "

logger = logging.getLogger(__name__)


class _Risk(msgspec.Struct):
    code: RiskCode
    level: Level


class _Field(msgspec.Struct):
    path: str
    after: Any = ABSENT


class _Change(msgspec.Struct):
    group: str
    kind: str
    namespace: str
    name: str
    action: Action
    fields: list[_Field]

    def change(self) -> Change:
        fields = tuple(FieldChange(field.path, None, field.after) for field in self.fields)
        return Change(Identity(self.group, self.kind, self.namespace, self.name), self.action, "", fields)


class _Document(msgspec.Struct):
    """Of schemas/review.json, what is needed here."""

    verdict: Verdict
    risks: list[_Risk]
    changes: list[_Change]


@dataclass(frozen=True, slots=True)
class ForkReview:
    """Implements Reviewed. `rules` were read by us, from the base."""

    verdict: Verdict
    summary: str
    promise: Promise
    found: Mapping[str, Level]
    rules: ReviewRules
    text: str
    held: frozenset[Measure]

    def markdown(self, limit: int) -> str:
        kept = f"\n\n<sub>{_kept(self.held)}</sub>\n"
        return fit(self.text, limit - len(kept)) + kept


def _kept(held: frozenset[Measure]) -> str:
    """What the process that read it was kept from, in words."""
    network = "no network" if held & {Measure.NAMESPACE, Measure.SOCKETS} else "**the network was not taken from it**"
    files = "no files but these two commits" if Measure.FILES in held else "**files were not taken from it**"
    return f"Read by a process of its own: {network}, {files}, no cluster, no token."


def _refused(ended: Ended, folder: str) -> SourceRefused:
    """For the reason that the process gives, as `ReconcilerError.diagnostics` has it."""
    said = ended.errors.decode("utf-8", "replace").replace(f"{folder}/", "")
    why, hint = "", "`reconciler plan --offline --base … --head …` in a clone says what is wrong"
    for line in said.splitlines()[:_REASONS] if not said.startswith("Traceback") else ():
        text = line.strip()[:_LONGEST]
        if text.startswith(_HINT):
            hint = text.removeprefix(_HINT)
        else:
            why += f"{': ' if why else ''}{text.removeprefix(_BECAUSE)}"
    return SourceRefused("the head of the fork cannot be planned", why=why, hint=hint)


async def review_fork(
    git: GitSource, config: SourceConfig, base: str, head: str, rules: ReviewRules, limits: Limits | None = None
) -> ForkReview:
    """Raises ReconcilerError where there is no plan."""
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="reconciler-fork-") as folder:
        place = Path(folder) / config.name
        place.mkdir()
        objects = await git.lend(place, base, head)
        arguments = ["plan", "--offline", "--base", base, "--head", head, "--source", config.name]
        arguments += ["--namespace", config.namespace, f"--paths={','.join(config.paths)}"]
        arguments += ["--adopt"] if config.adopt else []
        shown = [
            await run([*arguments, "--output", form, str(place)], place, limits, objects)
            for form in ("json", "markdown")
        ]
    try:
        document = msgspec.json.decode(shown[0].output, type=_Document)
        text = shown[1].output.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refused(shown[0], folder) from None
    held = shown[0].held & shown[1].held
    if (kept := _kept(held)) != _kept(frozenset(Measure)):
        logger.warning("the head of a fork in %s: %s docs/review.md says why", config.name, kept.replace("**", ""))
    first = text.partition("\n")[0].removeprefix(_HEAD)[:_LONGEST]
    found = {str(risk.code): risk.level for risk in document.risks}
    said = promise(announced(each.change() for each in document.changes))
    return ForkReview(document.verdict, first, said, found, rules, text, held)
