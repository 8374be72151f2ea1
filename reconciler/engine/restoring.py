"""What a plan filled in for pods whose record is gone: somebody removed the annotation while nobody looked.

It is read from the live template. Where that is, in all we own, what the spec states and this record makes of it, the
same template comes out again, and nothing is rolled out (rule 19). Else the record is for another spec: a roll-out is
due anyway, and takes newer advice.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.diff import managers
from reconciler.diff.fields import Difference, Kind, differences
from reconciler.diff.paths import Path
from reconciler.kube.affinity import PREFERRED
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog
from reconciler.model.change import Live
from reconciler.model.cluster_view import HOSTNAME, ZONE
from reconciler.model.filled import Draft, Preference, Record
from reconciler.model.manifest import MANAGER
from reconciler.model.spec import Placement
from reconciler.render.deployment import pod_labels
from reconciler.render.placement import TOPOLOGIES, affinity, spread

Object = Mapping[str, Any]

_DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")


def restored(draft: Draft, live: Live, pods: int | None) -> Record | None:
    """None where nothing was filled in, or it cannot be told. `pods` are there to be: of a Deployment with shares those
    of all parts, as each part's record has them."""
    entry, spec = managers.applied(live, MANAGER), live.object.get("spec") or {}
    if entry is None or entry.api_version != _DEPLOYMENT.api_version:
        return None
    there = spec.get("template") or {}
    try:
        record = _read(draft, there)
    except (KeyError, IndexError, StopIteration):
        return None  # others' terms: we state none of that kind
    if not any(record.template) and not record.nodes and not record.apart:
        return None
    schema = catalog().schema(_DEPLOYMENT).member("spec").member("template")
    owned = entry.fields.get("f:spec", {}).get("f:template", {})
    left = differences(_filled(draft, record), there, schema, owned)
    if left and not _lost(differences(draft.template, there, schema, owned)) - _lost(left):
        return None  # what is there is somebody else's
    return Record(
        "" if left else draft.hash,
        record.prefer,
        record.spread,
        record.requests,
        pods if draft.counted else None,
        record.nodes,
        draft.weighs,
        apart=record.apart,
    )


def _lost(found: Iterable[Difference]) -> set[Path]:
    """What is ours, and would be taken away."""
    return {each.path for each in found if each.kind in (Kind.REMOVED, Kind.RELEASED)}


def _read(draft: Draft, template: Object) -> Record:
    """What is in a live template beyond what the spec states of the same kind."""
    spec, stated = template["spec"], draft.template["spec"]
    known, requests = _requests(draft, stated), _requests(draft, spec)
    terms = [] if _preferred(stated) else [_term(each) for each in _preferred(spec)]
    even = affinity(Placement(), Record("", apart=True), pod_labels(draft.whole, draft.portion))
    nodes = [labels[HOSTNAME] for _, labels in terms if labels.keys() == {HOSTNAME}]
    topologies = {key: name for name, key in TOPOLOGIES.items()}
    constraints = () if draft.spread else spec.get("topologySpreadConstraints") or ()
    return Record(
        draft.hash,
        tuple(
            Preference(weight, {key: values[0] for key, values in labels.items() if key != ZONE}, labels.get(ZONE, ()))
            for weight, labels in terms
            if labels.keys() != {HOSTNAME}
        ),
        tuple(topologies[each["topologyKey"]] for each in constraints),
        {name: requests[name] for name in ("cpu", "memory") if name in requests and name not in known},
        nodes=nodes[0] if nodes else (),
        apart=_preferred(spec, "podAntiAffinity") == even["podAntiAffinity"][PREFERRED],
    )


def _requests(draft: Draft, spec: Object) -> Mapping[str, str]:
    main = next(each for each in spec["containers"] if each["name"] == draft.whole.name)
    found: Mapping[str, str] = (main.get("resources") or {}).get("requests") or {}
    return found


def _preferred(spec: Object, kind: str = "nodeAffinity") -> list[Object]:
    found: list[Object] = ((spec.get("affinity") or {}).get(kind) or {}).get(PREFERRED) or []
    return found


def _term(term: Object) -> tuple[int, dict[str, tuple[str, ...]]]:
    wanted = term["preference"]["matchExpressions"]
    return term["weight"], {each["key"]: tuple(each["values"]) for each in wanted}


def _filled(draft: Draft, record: Record) -> Object:
    """The template as it would be rendered."""
    template = draft.requesting(record.requests) if record.requests else draft.template
    spec = dict(template["spec"])
    labels, stated = pod_labels(draft.whole, draft.portion), spec.get("affinity") or {}
    if made := affinity(Placement(), record, labels):
        spec["affinity"] = {**stated, **{kind: {**(stated.get(kind) or {}), **terms} for kind, terms in made.items()}}
    if record.spread:
        spec["topologySpreadConstraints"] = spread(Placement(), labels, record.spread)
    return {**template, "spec": spec}
