"""PUT: an object, or its status, replaced by another state of it."""

from reconciler.http.transport import Response
from reconciler.sandbox.refusals import bad_request, conflict, not_found
from reconciler.sandbox.verbs import ownership, write
from reconciler.sandbox.verbs.call import Call


def update(call: Call) -> Response:
    core, kind = call.core, call.kind
    value = call.read(call.body())
    about = value["metadata"]
    if not about.get("name"):
        raise bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
        )
    if about["name"] != call.name:
        raise bad_request(f"the name of the object ({about['name']}) does not match the name on the URL ({call.name})")
    write.place(kind, value, call.namespace)
    entry = core.find(kind, call.namespace, call.name)
    status = call.route.subresource == "status"
    if entry is None:
        if not kind.rules.create_on_update:
            raise not_found(kind.group, kind.plural, call.name)
        if about.get("uid"):
            why = f"Precondition failed: UID in precondition: {about['uid']}, UID in object meta: "
            raise conflict(kind.group, kind.plural, call.name, why)
        ownership.record(call, None, value)
        return call.answer(write.create(core, kind, value, dry_run=call.dry_run, upsert=True), 201)
    if about.get("uid") and about["uid"] != entry.uid:
        why = f"Precondition failed: UID in precondition: {about['uid']}, UID in object meta: {entry.uid}"
        raise conflict(kind.group, kind.plural, call.name, why)
    write.check_preconditions(kind, entry, about)
    old = core.read(entry, kind)
    ownership.record(call, old, value)
    return call.answer(write.update(core, kind, entry, old, value, dry_run=call.dry_run, status=status))
