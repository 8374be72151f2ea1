"""DELETE: one object or a collection, at once or when its finalizers and its grace period allow."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.http.transport import Response
from reconciler.kube.kinds import DEFINITION, NAMESPACE, POD
from reconciler.kube.names import GroupKind
from reconciler.kube.times import stamp
from reconciler.sandbox import content
from reconciler.sandbox.core import Core
from reconciler.sandbox.kinds.crds import CLEANUP, let_go, terminating
from reconciler.sandbox.metadata import FOREGROUND, ORPHAN
from reconciler.sandbox.refusals import bad_request, conflict, forbidden, invalid
from reconciler.sandbox.registry import Kind
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.store import Entry
from reconciler.sandbox.verbs.call import Call
from reconciler.sandbox.verbs.selection import select
from reconciler.sandbox.verbs.shape import shape_list

Value = dict[str, Any]

_KEPT: Final = frozenset(("default", "kube-system", "kube-public"))
_POLICIES: Final = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True)
class Options:
    """DeleteOptions, from the body or else from the query."""

    grace: int | None = None
    propagation: str = ""
    orphan: bool | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def options_of(call: Call) -> Options:
    """Raises Refusal (400, 422)."""
    query: dict[str, Any] = dict(call.query)
    stated: dict[str, Any]
    if call.request.body.strip():
        stated = content.decode(call.request.body, content.media_type(call.request.headers))
        if not isinstance(stated, dict):
            raise bad_request("decoded object cannot be converted to DeleteOptions")
    else:
        stated = {
            name: query[name]
            for name in ("propagationPolicy", "orphanDependents", "gracePeriodSeconds")
            if name in query
        }
        if "dryRun" in query:
            stated["dryRun"] = [query["dryRun"]]
    return read_options(stated)


def read_options(stated: Value) -> Options:
    causes = Causes()
    policy = stated.get("propagationPolicy") or ""
    if policy and policy not in _POLICIES:
        causes.unsupported("propagationPolicy", policy, _POLICIES)
    orphan = stated.get("orphanDependents")
    if policy and orphan is not None:
        causes.invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
    dry_run = stated.get("dryRun") or []
    if any(item != "All" for item in dry_run):
        causes.unsupported("dryRun", dry_run, ["All"])
    if causes:
        raise invalid(GroupKind("meta.k8s.io", "DeleteOptions"), "", causes)
    grace = stated.get("gracePeriodSeconds")
    preconditions = stated.get("preconditions") or {}
    return Options(
        grace=None if grace is None else int(grace),
        propagation=policy,
        orphan=orphan in (True, "true") if orphan is not None else None,
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run=bool(dry_run),
    )


def delete(call: Call) -> Response:
    options = options_of(call)
    entry = call.entry()
    value, gone = remove(call.core, call.kind, entry, options)
    if gone and not call.kind.rules.returns_deleted:
        details = {"name": call.name, "group": call.kind.group, "kind": call.kind.plural, "uid": entry.uid}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return call.respond({**status, "details": {key: text for key, text in details.items() if text}})
    return call.answer(value, 202 if not gone and options.orphan is False else 200)


def delete_collection(call: Call) -> Response:
    core, kind = call.core, call.kind
    options = options_of(call)
    selection = select(core, kind, call.query)
    namespace = call.namespace if kind.namespaced else ""
    chosen = [entry for entry in core.store.range(kind.group_kind, namespace) if selection.matches(entry)]
    bodies = [core.body(entry, kind) for entry in chosen]
    for entry in chosen:
        remove(core, kind, entry, options)
    about = {"resourceVersion": str(core.store.revision), **({"continue": ""} if kind.custom else {})}
    return call.respond(shape_list(call, bodies, about))


def remove(core: Core, kind: Kind, entry: Entry, options: Options) -> tuple[Value, bool]:
    """Delete an object or begin to: its last state, and whether it is gone."""
    for name, stated, found in (
        ("UID", options.uid, entry.uid),
        ("ResourceVersion", options.resource_version, str(entry.revision)),
    ):
        if stated and stated != found:
            why = f"the {name} in the precondition ({stated}) does not match the {name} in record ({found})"
            own = kind.group_kind in (NAMESPACE, DEFINITION)  # these two have a deletion of their own
            raise conflict(kind.group, kind.plural if own else kind.resource.kind, entry.name, why)
    if kind.group_kind == NAMESPACE and entry.name in _KEPT:
        raise forbidden("", "namespaces", entry.name, "this namespace may not be deleted")
    value = core.read(entry, kind)
    about = value["metadata"]
    before = dict(about)
    if kind.group_kind == NAMESPACE:
        return _terminate(core, kind, entry, value, options)
    if kind.group_kind == DEFINITION and "deletionTimestamp" not in about:
        return _withdraw(core, kind, value, options), False
    if kind.rules.collected:
        _gc_finalizers(kind, about, options)
    grace = _grace(value, options) if kind.group_kind == POD else 0
    now = core.time()
    if grace and "deletionTimestamp" not in about:
        _mark(about, now, grace)
    elif about.get("finalizers") and "deletionTimestamp" not in about:
        _mark(about, now, 0)
    elif grace and grace < about.get("deletionGracePeriodSeconds", 0):
        _shorten(about, now, grace)
    elif not grace and (about.get("finalizers") or not _waits(about, options)):
        if about.get("finalizers"):
            about["deletionGracePeriodSeconds"] = 0
        else:
            return _gone(core, kind, entry, value, options)
    if about == before:
        return value, False
    return (value if options.dry_run else core.save(kind, value)), False


def _withdraw(core: Core, kind: Kind, crd: Value, options: Options) -> Value:
    """A definition goes when its objects are gone: a moment later, so that what is answered is still there."""
    about = crd["metadata"]
    about["deletionTimestamp"] = core.now()
    about["finalizers"] = [*(about.get("finalizers") or ()), CLEANUP]
    crd["status"]["conditions"] = [*(crd["status"].get("conditions") or ()), terminating(core.now())]
    if options.dry_run:
        return crd
    stored = core.save(kind, crd)
    served = core.registry.kind(GroupKind(crd["spec"]["group"], crd["spec"]["names"]["kind"]))
    if served is not None and served.custom:
        for entry in list(core.store.range(served.group_kind)):
            remove(core, served, entry, Options())
    let_go(crd, core)
    return stored


def _waits(about: Value, options: Options) -> bool:
    """Whether a grace period is running that this deletion does not end."""
    return bool(about.get("deletionGracePeriodSeconds")) and options.grace != 0


def _gone(core: Core, kind: Kind, entry: Entry, value: Value, options: Options) -> tuple[Value, bool]:
    if options.dry_run:
        return value, True
    last = core.delete(kind, entry)
    return last, True


def _gc_finalizers(kind: Kind, about: Value, options: Options) -> None:
    """Leave to the garbage collector what it has to do before or instead of the object's dependents."""
    found = about.get("finalizers") or []
    if options.orphan is not None:
        orphan, foreground = options.orphan, False
    elif options.propagation:
        orphan, foreground = options.propagation == "Orphan", options.propagation == "Foreground"
    elif ORPHAN in found or FOREGROUND in found:
        orphan, foreground = ORPHAN in found, FOREGROUND in found
    else:
        orphan, foreground = kind.rules.orphans, False
    wanted = [name for name in found if name not in (ORPHAN, FOREGROUND)]
    wanted += [ORPHAN] if orphan else []
    wanted += [FOREGROUND] if foreground else []
    if set(wanted) != set(found):
        about["finalizers"] = wanted
    if not about.get("finalizers"):
        about.pop("finalizers", None)


def _grace(pod: Value, options: Options) -> int:
    """Seconds that a pod's containers get: none where no kubelet runs them any more or yet."""
    spec, status = pod["spec"], pod.get("status") or {}
    grace = options.grace if options.grace is not None else int(spec.get("terminationGracePeriodSeconds", 30))
    if grace < 0:
        grace = 1
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    return grace


def _mark(about: Value, now: datetime, grace: int) -> None:
    about["deletionTimestamp"] = stamp(now + timedelta(seconds=grace))
    about["deletionGracePeriodSeconds"] = grace
    if about.get("generation"):
        about["generation"] += 1


def _shorten(about: Value, now: datetime, grace: int) -> None:
    planned = datetime.fromisoformat(about["deletionTimestamp"])
    began = planned - timedelta(seconds=about["deletionGracePeriodSeconds"])
    about["deletionTimestamp"] = stamp(max(now, began + timedelta(seconds=grace)))
    about["deletionGracePeriodSeconds"] = grace


def _terminate(core: Core, kind: Kind, entry: Entry, value: Value, options: Options) -> tuple[Value, bool]:
    """A namespace goes in two steps: its content by a controller, then itself when nothing holds it."""
    about = value["metadata"]
    if "deletionTimestamp" not in about:
        _gc_finalizers(kind, about, options)
        about["deletionTimestamp"] = core.now()
        value["status"] = {**(value.get("status") or {}), "phase": "Terminating"}
    elif not value["spec"].get("finalizers") and not about.get("finalizers"):
        return _gone(core, kind, entry, value, options)
    else:
        return value, False
    return (value if options.dry_run else core.save(kind, value)), False
