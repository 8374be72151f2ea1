"""One object, from all that is stated of it: validated, typed, and with the names that it refers to."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec

from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.patch import PatchError
from reconciler.kube.schema import Schema
from reconciler.model.manifest import ANNOTATION_DEPENDS_ON
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.problem import Problem, Severity
from reconciler.model.reference import ObjectReference, references
from reconciler.model.spec import (
    API_VERSION,
    GROUP,
    Document,
    ObjectSpec,
    Origin,
    Spec,
)
from reconciler.specs.candidate import Candidate, Teller, subject_of
from reconciler.specs.finding import MOST, Finding
from reconciler.specs.foreign import image_warnings, images_of, misfits
from reconciler.specs.metadata import marks, names
from reconciler.specs.overlay import merged
from reconciler.specs.own import examined, typed, unknown_kind, unrequested
from reconciler.specs.place import Path
from reconciler.specs.schemas import KINDS, structure
from reconciler.specs.scope import Kinds
from reconciler.specs.settle import settled
from reconciler.specs.weighing import beyond

JSON = Any
Named = tuple[tuple[Path, str], ...]

_WORKLOADS: Final = frozenset(("", "apps", "batch"))  # groups whose kinds run pods and get images by name


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What the candidates of one identity come to. `document` is None where they are invalid, or `removed`.

    `images`, `depends_on` and `files` are names that only the whole snapshot can resolve; its files are not in the
    document yet. `unknown` is the kind where nothing is known of it.
    """

    identity: Identity
    candidates: tuple[Candidate, ...]
    value: dict[str, JSON]
    document: Document | None = None
    problems: tuple[Problem, ...] = ()
    images: Named = ()
    depends_on: Named = ()
    files: Named = ()
    unknown: GroupVersionKind | None = None

    @property
    def removed(self) -> bool:
        """Whether an overlay takes the document out, with `$patch: delete`."""
        return not self.value and not any(problem.severity is Severity.ERROR for problem in self.problems)


def check(
    candidates: tuple[Candidate, ...], kinds: Kinds, teller: Teller, planner: PlannerConfig | None = None
) -> Checked:
    """Merge the candidates, in the order of their layers, and validate what comes out, also against what the daemon's
    `planner` lets specs say."""
    identity = candidates[0].identity
    assert identity is not None  # noqa: S101 - only identified candidates are grouped
    told = [
        teller.fault(c.path, c.file, fault, subject=subject_of(c), identity=identity)
        for c in candidates
        for fault in c.part.faults
    ]
    gvk = candidates[-1].gvk
    if gvk.group == GROUP and (gvk.api_version != API_VERSION or gvk.kind not in KINDS):
        told += teller.findings(unknown_kind(gvk), candidates[-1:], candidates[-1].part.value)
        return Checked(identity, candidates, {}, problems=tuple(told))
    known = structure(gvk.kind) if gvk.group == GROUP else kinds.schema(gvk)
    try:
        value, findings, noted = _examined(candidates, identity, gvk, known, kinds.untyped, teller)
    except PatchError as error:
        finding = Finding("bad-overlay", (), f"this cannot be merged over {candidates[0].location}: {error}")
        told += teller.findings([finding], candidates[-1:], candidates[-1].part.value)
        return Checked(identity, candidates, {}, problems=tuple(told))
    if value and not any(finding.severity is Severity.ERROR for finding in findings) and gvk.group == GROUP:
        findings += beyond(value["spec"].get("planner"), ("spec", "planner"), planner, Severity.ERROR)
        if gvk.kind == "Deployment":
            findings += unrequested(value["spec"], planner)
    told += teller.findings(findings, candidates, value)
    for candidate, finding in noted:
        told += teller.findings([finding], (candidate,), candidate.part.value)
    if not value:
        return Checked(identity, candidates, value, problems=tuple(told))
    return Checked(
        identity,
        candidates,
        value,
        None if any(problem.severity is Severity.ERROR for problem in told) else _document(value, identity, candidates),
        tuple(told),
        tuple(_images(value, gvk)),
        tuple(_dependencies(value, gvk)),
        tuple(_files(value, gvk)),
        gvk if known is None and not kinds.live(gvk.group_kind) else None,
    )


def _examined(
    candidates: Sequence[Candidate],
    identity: Identity,
    gvk: GroupVersionKind,
    known: Schema | None,
    untyped: Schema,
    teller: Teller,
) -> tuple[dict[str, JSON], list[Finding], list[tuple[Candidate, Finding]]]:
    """The merged value, what is wrong with it, and warnings about single candidates. Raises PatchError."""
    schema = known or untyped
    values = [candidate.part.value for candidate in candidates]
    noted: list[tuple[Candidate, Finding]] = []

    def settle() -> None:
        for number, candidate in enumerate(candidates):
            values[number], found = settled(candidate, schema, teller.text(candidate.file))
            noted.extend((candidate, finding) for finding in found)

    if any(candidate.part.dubious for candidate in candidates):
        settle()
    value = merged(values, known)
    findings = list(_findings(value, identity, gvk, schema, strange=known is None)) if value else []
    if not noted and any(finding.severity is Severity.ERROR for finding in findings):
        settle()  # a number may stand where a text is wanted
        if noted:
            value = merged(values, known)
            findings = list(_findings(value, identity, gvk, schema, strange=known is None))
    if value and not identity.namespace and value["metadata"].get("namespace"):
        message = f"a {identity.kind} is in no namespace; this one is left out"
        findings.append(
            Finding("cluster-scoped", ("metadata", "namespace"), message, key=True, severity=Severity.WARNING)
        )
    wrong = {finding.path for finding in findings if finding.severity is Severity.ERROR}
    noted = [(candidate, note) for candidate, note in noted if note.path not in wrong]  # quotes would not help
    return _placed(value, identity) if value else value, findings, noted


def _findings(
    value: dict[str, JSON], identity: Identity, gvk: GroupVersionKind, schema: Schema, *, strange: bool
) -> Iterator[Finding]:
    found = examined(value, gvk.kind) if gvk.group == GROUP else misfits(value, schema)
    yield from found
    if any(f.path[:1] == ("metadata",) and f.severity is Severity.ERROR for f in found):
        return  # their types are wrong: more would only be noise
    yield from names(identity, known=not strange)
    yield from islice(marks(value["metadata"]), MOST)
    if gvk.group in _WORKLOADS and not found:
        yield from image_warnings(value)


def _placed(value: dict[str, JSON], identity: Identity) -> dict[str, JSON]:
    """`value` with the namespace of its identity, stated or filled in, and none where its kind has none."""
    metadata = dict(value["metadata"])
    if metadata.get("namespace", "") == identity.namespace:
        return value
    metadata.pop("namespace", None)
    if identity.namespace:
        metadata["namespace"] = identity.namespace
    return {**value, "metadata": metadata}


def _document(value: dict[str, JSON], identity: Identity, candidates: Sequence[Candidate]) -> Document:
    ours = identity.group == GROUP
    spec: Spec = typed(value["spec"], identity.kind) if ours else ObjectSpec(value)
    metadata = value["metadata"]
    base, *over = candidates
    origin = Origin(base.path, base.part.line, _text_hash(candidates), tuple(c.path for c in over))
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    digest = digest_of(identity, origin.path, origin.text_hash, origin.overlays, value)
    return Document(identity, origin, spec, labels, annotations, digest)


def digest_of(*parts: JSON) -> str:
    """64 hexadecimal digits over JSON values."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _text_hash(candidates: Sequence[Candidate]) -> str:
    hashes = [candidate.part.text_hash for candidate in candidates]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


# The value may be invalid here: what it names is looked up all the same, so that everything is said at once.


def _images(value: dict[str, JSON], gvk: GroupVersionKind) -> Iterator[tuple[Path, str]]:
    if gvk.group in _WORKLOADS:
        yield from images_of(value)
    if gvk.group != GROUP or not isinstance(spec := value.get("spec"), dict):
        return
    if isinstance(image := spec.get("image"), str) and image:
        yield ("spec", "image"), image
    for field in ("initContainers", "sidecars"):
        containers = spec.get(field)
        for at, container in enumerate(containers if isinstance(containers, list) else ()):
            if isinstance(container, dict) and isinstance(image := container.get("image"), str):
                yield ("spec", field, at, "image"), image


def _dependencies(value: dict[str, JSON], gvk: GroupVersionKind) -> Iterator[tuple[Path, str]]:
    stated: list[tuple[Path, JSON]] = []
    if gvk.group == GROUP and isinstance(spec := value.get("spec"), dict):
        listed = spec.get("dependsOn")
        stated += (
            (("spec", "dependsOn", at), one) for at, one in enumerate(listed if isinstance(listed, list) else ())
        )
    annotations = value["metadata"].get("annotations")
    listed = annotations.get(ANNOTATION_DEPENDS_ON) if isinstance(annotations, dict) else None
    if isinstance(listed, str):
        stated += ((("metadata", "annotations", ANNOTATION_DEPENDS_ON), one) for one in references(listed))
    for path, one in stated:
        try:
            ObjectReference.parse(one)
        except (AttributeError, ValueError):
            continue  # its own refusal says so
        yield path, one


def _files(value: dict[str, JSON], gvk: GroupVersionKind) -> Iterator[tuple[Path, str]]:
    if gvk.group == GROUP and isinstance(spec := value.get("spec"), dict) and isinstance(spec.get("files"), dict):
        for mount, file in sorted(spec["files"].items()):
            if isinstance(file, str) and file:
                yield ("spec", "files", mount), file
