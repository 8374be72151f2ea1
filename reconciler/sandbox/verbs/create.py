"""POST to a collection."""

from reconciler.http.transport import Response
from reconciler.sandbox.verbs import ownership, write
from reconciler.sandbox.verbs.call import Call


def create(call: Call) -> Response:
    value = call.read(call.body())
    write.place(call.kind, value, call.namespace)
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        value["metadata"].pop(name, None)
    ownership.record(call, None, value)
    stored = write.create(call.core, call.kind, value, dry_run=call.dry_run)
    return call.answer(stored, 201)
