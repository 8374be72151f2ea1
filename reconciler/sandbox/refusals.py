"""What an API server says when it does not do what was asked: a Kubernetes `Status` object and its HTTP code."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from reconciler.kube.names import GroupKind


class Cause(NamedTuple):
    """One entry of `details.causes`. `reason` is a cause type ("FieldValueRequired", …)."""

    reason: str
    message: str
    field: str

    def text(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Refusal(Exception):
    """Raised by anything that handles a request; becomes the answer."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}
        self.list_metadata: dict[str, Any] = {}

    def status(self) -> dict[str, Any]:
        """The Status object."""
        found: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.list_metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            found["reason"] = self.reason
        if self.details is not None:
            found["details"] = {key: value for key, value in self.details.items() if value not in ("", [], 0)}
        found["code"] = self.code
        return found


def quoted(text: str) -> str:
    """Text in double quotes as Go's %q writes it, for the plain text that names hold."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def resource_text(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def not_found(group: str, resource: str, name: str) -> Refusal:
    message = f"{resource_text(resource, group)} {quoted(name)} not found"
    return Refusal(404, "NotFound", message, {"name": name, "group": group, "kind": resource})


def no_such_path() -> Refusal:
    """For a path, group, version or resource that is not served."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, resource: str, name: str, *, generated: bool = False) -> Refusal:
    """Where a name could be generated the client is told to try again."""
    message = f"{resource_text(resource, group)} {quoted(name)} already exists"
    details: dict[str, Any] = {"name": name, "group": group, "kind": resource}
    if not generated:
        return Refusal(409, "AlreadyExists", message, details)
    message += ", the server was not able to generate a unique name for the object"
    return Refusal(409, "AlreadyExists", message, {**details, "retryAfterSeconds": 1}, {"retry-after": "1"})


def conflict(group: str, resource: str, name: str, why: str) -> Refusal:
    message = f"Operation cannot be fulfilled on {resource_text(resource, group)} {quoted(name)}: {why}"
    return Refusal(409, "Conflict", message, {"name": name, "group": group, "kind": resource})


def invalid(kind: GroupKind, name: str, causes: Iterable[Cause]) -> Refusal:
    listed = list(causes)
    texts = list(dict.fromkeys(cause.text() for cause in listed))
    body = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = {
        "name": name,
        "group": kind.group,
        "kind": kind.kind,
        "causes": [{"reason": c.reason, "message": c.message, "field": c.field} for c in listed],
    }
    return Refusal(422, "Invalid", f"{kind} {quoted(name)} is invalid: {body}", details)


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def forbidden(group: str, resource: str, name: str, why: str, causes: Sequence[Cause] = ()) -> Refusal:
    message = f"{resource_text(resource, group)} {quoted(name)} is forbidden: {why}"
    details: dict[str, Any] = {"name": name, "group": group, "kind": resource}
    if causes:
        details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return Refusal(403, "Forbidden", message, details)


def method_not_allowed() -> Refusal:
    return Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def expired(message: str) -> Refusal:
    return Refusal(410, "Expired", message)


def unsupported_media_type(accepted: Sequence[str]) -> Refusal:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return Refusal(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Sequence[str]) -> Refusal:
    message = "only the following media types are accepted: " + ", ".join(accepted)
    return Refusal(406, "NotAcceptable", message)


def too_many_requests(message: str, retry_after: int, causes: Sequence[Cause] = ()) -> Refusal:
    details: dict[str, Any] = {"retryAfterSeconds": retry_after}
    if causes:
        details["causes"] = [{"reason": c.reason, "message": c.message} for c in causes]
    return Refusal(429, "TooManyRequests", message, details, {"retry-after": str(retry_after)} if retry_after else {})


def internal(message: str) -> Refusal:
    """An error that the server did not foresee: no reason, code 500, as the real one answers."""
    return Refusal(500, "", message)
