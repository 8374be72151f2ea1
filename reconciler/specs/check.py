"""One object, from all that is stated of it: validated, typed, and with the names that it refers to."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.patch import PatchError
from reconciler.model.manifest import ANNOTATION_DEPENDS_ON
from reconciler.model.problem import Problem, Severity
from reconciler.model.reference import references
from reconciler.model.spec import (
    API_VERSION,
    GROUP,
    DeploymentSpec,
    Document,
    ImageSpec,
    ObjectSpec,
    Origin,
    Spec,
    TaskSpec,
)
from reconciler.specs.candidate import Candidate, Teller, subject_of
from reconciler.specs.finding import Finding
from reconciler.specs.foreign import image_warnings, images_of, misfits
from reconciler.specs.metadata import marks, names
from reconciler.specs.overlay import merged
from reconciler.specs.own import examined, unknown_kind
from reconciler.specs.read import Path
from reconciler.specs.schemas import KINDS, structure
from reconciler.specs.scope import Kinds
from reconciler.specs.settle import settled

JSON = Any
Named = tuple[tuple[Path, str], ...]

_TYPES: Final[dict[str, type[ImageSpec | DeploymentSpec | TaskSpec]]] = {
    "Deployment": DeploymentSpec,
    "Image": ImageSpec,
    "Task": TaskSpec,
}
_WORKLOADS: Final = frozenset(("", "apps", "batch"))  # groups whose kinds run pods and get images by name


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What the candidates of one identity come to. `document` is None where they are invalid.

    `images`, `depends_on` and `files` are names that only the whole snapshot can resolve; its files are not in the
    document yet. `unknown` is the kind where nothing is known of it.
    """

    identity: Identity
    candidates: tuple[Candidate, ...]
    value: dict[str, JSON]
    document: Document | None
    problems: tuple[Problem, ...] = ()
    images: Named = ()
    depends_on: Named = ()
    files: Named = ()
    unknown: GroupVersionKind | None = None


def check(candidates: tuple[Candidate, ...], kinds: Kinds, teller: Teller) -> Checked:
    """Merge the candidates, in the order of their layers, and validate what comes out."""
    identity = candidates[0].identity
    assert identity is not None  # noqa: S101 - only identified candidates are grouped
    told = [
        teller.fault(c.path, c.file, fault, subject=subject_of(c), identity=identity)
        for c in candidates
        for fault in c.part.faults
    ]
    gvk = candidates[-1].gvk
    ours = gvk.group == GROUP
    if ours and (gvk.api_version != API_VERSION or gvk.kind not in KINDS):
        told += teller.findings(unknown_kind(gvk), candidates, candidates[-1].part.value)
        return Checked(identity, candidates, {}, None, tuple(told))
    schema = structure(gvk.kind) if ours else kinds.schema(gvk)
    values = [candidate.part.value for candidate in candidates]
    noted: list[Finding] = []

    def settle() -> None:
        for number, candidate in enumerate(candidates):
            if schema is not None:
                values[number], found = settled(candidate, schema, teller.text(candidate.file))
                noted.extend(found)

    try:
        if any(candidate.part.dubious for candidate in candidates):
            settle()
        value = merged(values, schema)
        findings = list(_findings(value, identity, gvk, kinds))
        if any(f.severity is Severity.ERROR for f in findings) and not noted:
            settle()
            if noted:
                value = merged(values, schema)
                findings = list(_findings(value, identity, gvk, kinds))
    except PatchError as error:
        finding = Finding("bad-overlay", (), f"this cannot be merged over {candidates[0].location}: {error}")
        told += teller.findings([finding], candidates[-1:], candidates[-1].part.value)
        return Checked(identity, candidates, {}, None, tuple(told))
    if not identity.namespace and value["metadata"].get("namespace"):
        message = f"a {identity.kind} is in no namespace; this one is left out"
        findings.append(
            Finding("cluster-scoped", ("metadata", "namespace"), message, key=True, severity=Severity.WARNING)
        )
    value = _placed(value, identity)
    told += teller.findings([*findings, *noted], candidates, value)
    unknown = gvk if schema is None and not kinds.live(gvk.group_kind) else None
    if any(problem.severity is Severity.ERROR for problem in told):
        return Checked(identity, candidates, value, None, tuple(told), unknown=unknown)
    document = _document(value, identity, candidates, ours=ours)
    named = _images(value, ours=ours)
    return Checked(
        identity,
        candidates,
        value,
        document,
        tuple(told),
        named,
        tuple(_dependencies(value, document, ours=ours)),
        tuple((("spec", "files", mount), file) for mount, file in sorted(_files(document).items())),
        unknown,
    )


def _findings(value: dict[str, JSON], identity: Identity, gvk: GroupVersionKind, kinds: Kinds) -> Iterator[Finding]:
    if gvk.group == GROUP:
        found = examined(value, gvk.kind)
    else:
        schema = kinds.schema(gvk)
        from reconciler.kube.openapi import catalog

        found = misfits(value, schema if schema is not None else catalog().untyped)
    yield from found
    metadata = value.get("metadata")
    if any(f.path[:1] == ("metadata",) and f.severity is Severity.ERROR for f in found) or not isinstance(
        metadata, dict
    ):
        return  # their types are wrong: more would only be noise
    yield from names(identity, known=kinds.schema(gvk) is not None or gvk.group == GROUP)
    yield from marks(metadata)
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


def _document(value: dict[str, JSON], identity: Identity, candidates: Sequence[Candidate], *, ours: bool) -> Document:
    spec: Spec = msgspec.convert(value["spec"], _TYPES[identity.kind]) if ours else ObjectSpec(value)
    metadata = value["metadata"]
    base, *over = candidates
    origin = Origin(base.path, base.part.line, _text_hash(candidates), tuple(c.path for c in over))
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    digest = digest_of(
        identity,
        origin.path,
        origin.text_hash,
        origin.overlays,
        labels,
        annotations,
        value if not ours else value["spec"],
    )
    return Document(identity, origin, spec, labels, annotations, digest)


def digest_of(*parts: JSON) -> str:
    """64 hexadecimal digits over JSON values."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _text_hash(candidates: Sequence[Candidate]) -> str:
    hashes = [candidate.part.text_hash for candidate in candidates]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


def _images(value: dict[str, JSON], *, ours: bool) -> Named:
    if not ours:
        return tuple(images_of(value)) if GroupVersionKind.of(value).group in _WORKLOADS else ()
    if (spec := value["spec"]).get("repository"):
        return ()
    beside = (
        (("spec", field, at, "image"), container["image"])
        for field in ("initContainers", "sidecars")
        for at, container in enumerate(spec.get(field, ()))
    )
    return ((("spec", "image"), spec["image"]), *beside)


def _dependencies(value: dict[str, JSON], document: Document, *, ours: bool) -> Iterator[tuple[Path, str]]:
    if ours:
        for at, reference in enumerate(value["spec"].get("dependsOn", ())):
            yield ("spec", "dependsOn", at), reference
    for reference in references(document.annotations.get(ANNOTATION_DEPENDS_ON, "")):
        yield ("metadata", "annotations", ANNOTATION_DEPENDS_ON), reference


def _files(document: Document) -> dict[str, str]:
    return document.spec.files if isinstance(document.spec, DeploymentSpec | TaskSpec) else {}
