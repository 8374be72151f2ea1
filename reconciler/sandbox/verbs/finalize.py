"""PUT of a namespace's `/finalize`: the namespace controller says that its content is gone."""

from reconciler.http.transport import Response
from reconciler.sandbox.verbs import write
from reconciler.sandbox.verbs.call import Call


def finalize(call: Call) -> Response:
    """Store the finalizers given; a namespace that is being deleted and has none any more is removed."""
    core, kind = call.core, call.kind
    value = call.read(call.body())
    entry = call.entry()
    write.check_preconditions(kind, entry, value["metadata"])
    new = core.read(entry, kind)
    finalizers = value["spec"].get("finalizers")
    if finalizers:
        new["spec"]["finalizers"] = finalizers
    else:
        new["spec"].pop("finalizers", None)
    about = new["metadata"]
    if "deletionTimestamp" in about and not finalizers and not about.get("finalizers"):
        core.delete(kind, entry)
        return call.answer(new)
    return call.answer(core.save(kind, new))
