"""What can be done with pods alone: bind them to a node, evict them, read their log."""

from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.http.transport import Response
from reconciler.kube.kinds import BUDGET
from reconciler.kube.selector import LabelSelector
from reconciler.sandbox.core import Core
from reconciler.sandbox.kubelet.logs import log_lines
from reconciler.sandbox.refusals import Cause, Refusal, bad_request, conflict, not_found, too_many_requests
from reconciler.sandbox.tables.column import dig
from reconciler.sandbox.verbs import delete
from reconciler.sandbox.verbs.call import Call
from reconciler.sandbox.verbs.read import whole_number

Value = dict[str, Any]

LOG_ANNOTATION: Final = "sandbox.reconciler.dev/log"


def success(code: int) -> Value:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}


def bind(call: Call, name: str) -> Response:
    """POST a Binding: the scheduler's word. The pod's node is set once."""
    body = call.body()
    target = dig(body, "target", "name")
    if not target:
        raise bad_request("target.name: Required value")
    if (stated := dig(body, "metadata", "name")) and stated != name:
        raise bad_request(f"the name of the object ({stated}) does not match the name on the URL ({name})")
    entry = call.core.find(call.kind, call.namespace, name)
    if entry is None:
        raise not_found("", "pods", name)
    old = call.core.read(entry, call.kind)
    if "deletionTimestamp" in old["metadata"]:
        raise conflict("", "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if old["spec"].get("nodeName"):
        why = f'pod {name} is already assigned to node "{old["spec"]["nodeName"]}"'
        raise conflict("", "pods/binding", name, why)
    status = old.get("status") or {}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": call.core.now()}
    others = [c for c in status.get("conditions") or () if c.get("type") != "PodScheduled"]
    new = {
        **old,
        "metadata": dict(old["metadata"]),
        "spec": {**old["spec"], "nodeName": target},
        "status": {**status, "conditions": [*others, scheduled]},
    }
    if annotations := dig(body, "metadata", "annotations"):
        new["metadata"]["annotations"] = {**(new["metadata"].get("annotations") or {}), **annotations}
    if not call.dry_run:
        call.core.save(call.kind, new)
    return call.respond(success(201), 201)


def evict(call: Call) -> Response:
    """POST an Eviction: a deletion that respects PodDisruptionBudgets."""
    body = call.body() if call.request.body.strip() else {}
    options = delete.read_options((body or {}).get("deleteOptions") or {})
    entry = call.entry()
    pod = call.core.read(entry, call.kind)
    dry_run = options.dry_run or call.dry_run
    finished = dig(pod, "status", "phase") in ("Succeeded", "Failed", "Pending")
    if not finished and "deletionTimestamp" not in pod["metadata"]:
        _spend(call.core, pod, dry_run=dry_run)
    delete.remove(call.core, call.kind, entry, options)
    return call.respond(success(201), 201)


def _spend(core: Core, pod: Value, *, dry_run: bool) -> None:
    """Take one disruption from the budget that covers a pod. Raises Refusal (429, 500)."""
    namespace = pod["metadata"]["namespace"]
    kind = core.registry.kind(BUDGET)
    if kind is None:
        return
    covering = []
    for entry in core.store.range(BUDGET, namespace):
        budget = core.read(entry, kind)
        selector = dig(budget, "spec", "selector")
        if selector is not None and LabelSelector.of(selector).matches(pod["metadata"].get("labels") or {}):
            covering.append((entry, budget))
    if len(covering) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise Refusal(500, "InternalError", f"Internal error occurred: {message}", {})
    for entry, budget in covering:
        status = budget.get("status") or {}
        if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
            raise _over(f"The disruption budget {entry.name} is still being processed by the server.", 10)
        healthy = status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0
        if healthy and not _ready(pod):
            return  # it is not one of the pods that the budget counts
        allowed = status.get("disruptionsAllowed", 0)
        if allowed <= 0:
            needs, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
            raise _over(f"The disruption budget {entry.name} needs {needs} healthy pods and has {healthy} currently", 0)
        disrupted = {**(status.get("disruptedPods") or {}), pod["metadata"]["name"]: core.now()}
        budget["status"] = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}
        if not dry_run:
            core.save(kind, budget)


def _ready(pod: Value) -> bool:
    conditions = dig(pod, "status", "conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _over(detail: str, retry_after: int) -> Refusal:
    cause = Cause("DisruptionBudget", detail, "")
    return too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", retry_after, [cause])


def log(call: Call) -> Response:
    """The lines that a container has written: those put into the pod's annotation, else those that it would have."""
    pod, query = call.core.read(call.entry(), call.kind), call.query
    names = [c["name"] for c in pod["spec"].get("containers") or ()]
    others = [c["name"] for c in pod["spec"].get("initContainers") or ()]
    container = query.get("container") or names[0]
    if not query.get("container") and len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {call.name}, choose one of: [{' '.join(names)}]")
    if container not in (*names, *others):
        raise bad_request(f"container {container} is not valid for pod {call.name}")
    if not pod["spec"].get("nodeName"):
        return Response(204, {}, b"")
    lines = _lines(pod, container, call)
    if seconds := whole_number(query.get("sinceSeconds"), "sinceSeconds"):
        lines = [line for line in lines if line[0] >= call.core.time() - timedelta(seconds=seconds)]
    if query.get("tailLines"):
        lines = lines[len(lines) - min(whole_number(query["tailLines"], "tailLines"), len(lines)) :]
    stamped = query.get("timestamps") in ("true", "1")
    texts = (f"{when:%Y-%m-%dT%H:%M:%SZ} {text}" if stamped else text for when, text in lines)
    return Response(200, {"content-type": "text/plain"}, "".join(f"{text}\n" for text in texts).encode())


def _lines(pod: Value, container: str, call: Call) -> list[tuple[datetime, str]]:
    annotations = pod["metadata"].get("annotations") or {}
    text = annotations.get(f"{LOG_ANNOTATION}.{container}") or annotations.get(LOG_ANNOTATION)
    if text is not None:
        return [(call.core.time(), line) for line in text.splitlines()]
    return log_lines(pod, container, call.core.time(), previous=call.query.get("previous") in ("true", "1"))
