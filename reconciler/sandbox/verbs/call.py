"""One request to a resource, as the verbs see it."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from reconciler.http.transport import Request, Response
from reconciler.kube.media import JSON
from reconciler.kube.names import GroupKind
from reconciler.sandbox import content, metadata
from reconciler.sandbox.content import Accept
from reconciler.sandbox.core import Core
from reconciler.sandbox.goscalars import TypeMismatch
from reconciler.sandbox.refusals import Refusal, bad_request, invalid, not_found
from reconciler.sandbox.registry import Kind
from reconciler.sandbox.routes import Route
from reconciler.sandbox.rules import Causes
from reconciler.sandbox.store import Entry

Value = dict[str, Any]

_MANAGER_LIMIT: Final = 128


@dataclass(slots=True)
class Call:
    """`kind` is the route's, in the route's version."""

    core: Core
    request: Request
    route: Route
    kind: Kind
    query: dict[str, str]
    accept: Accept
    warnings: list[str] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return self.route.namespace

    @property
    def name(self) -> str:
        return self.route.name

    @property
    def dry_run(self) -> bool:
        found = self.query.get("dryRun", "")
        if found not in ("", "All"):
            causes = Causes()
            causes.unsupported("dryRun", [found], ["All"])
            raise invalid(GroupKind("meta.k8s.io", self._options), "", causes)
        return bool(found)

    @property
    def _options(self) -> str:
        return {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}.get(
            self.request.method, "DeleteOptions"
        )

    @property
    def manager(self) -> str:
        """The field manager of a write: the one given, else the first word of the client's name."""
        stated = self.query.get("fieldManager", "")
        if len(stated) > _MANAGER_LIMIT:
            causes = Causes()
            causes.too_long("fieldManager", _MANAGER_LIMIT)
            raise invalid(GroupKind("meta.k8s.io", self._options), "", causes)
        agent = self.request.headers.get("user-agent", "")
        return stated or agent.split("/", 1)[0][:_MANAGER_LIMIT] or "unknown"

    def entry(self) -> Entry:
        """The object that the path names. Raises Refusal (404)."""
        entry = self.core.find(self.kind, self.namespace, self.name)
        if entry is None:
            raise not_found(self.kind.group, self.kind.plural, self.name)
        return entry

    def body(self) -> Any:
        """The request's body. Raises Refusal (400, 415)."""
        return content.decode(self.request.body, content.media_type(self.request.headers))

    def read(self, value: Any) -> Value:
        """The body of a create or update as a clean, completed object.

        Unknown fields are refused, warned of or ignored as `fieldValidation` says. Raises Refusal (400).
        """
        kind = self.kind
        if not isinstance(value, dict):
            raise bad_request("the body is not an object")
        name = kind.resource.kind
        version = value.get("apiVersion") or kind.api_version
        if version != kind.api_version:
            raise bad_request(
                f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
            )
        blame = f'{value.get("kind") or name} in version "{kind.version}" cannot be handled as a {name}: '
        if (value.get("kind") or name) != name:
            raise bad_request(f"{blame}the path is that of another kind")
        clean = self.clean(value, blame)
        metadata.drop_repeated_owners(clean["metadata"])
        kind.codec.default(clean)
        return clean

    def clean(self, value: Any, blame: str) -> Value:
        """A clean copy of an object, without defaults. Raises Refusal (400)."""
        unknown: list[str] = []
        try:
            clean = self.kind.codec.read(value, unknown)
        except TypeMismatch as mismatch:
            raise bad_request(blame + mismatch_text(mismatch)) from None
        if unknown:
            self.report_unknown(unknown, blame)
        clean["apiVersion"], clean["kind"] = self.kind.api_version, self.kind.resource.kind
        clean.setdefault("metadata", {})
        return clean

    def report_unknown(self, unknown: list[str], blame: str) -> None:
        directive = self.query.get("fieldValidation") or "Warn"
        texts = [f'unknown field "{path}"' for path in unknown]
        if directive == "Strict":
            raise bad_request(f"{blame}strict decoding error: {', '.join(texts)}")
        if directive == "Warn":
            self.warnings.extend(texts)
        elif directive != "Ignore":
            causes = Causes()
            causes.unsupported("fieldValidation", directive, ["", "Ignore", "Strict", "Warn"])
            raise invalid(GroupKind("meta.k8s.io", self._options), "", causes)

    def answer(self, value: Value, status: int = 200) -> Response:
        """An object, in the form that was asked for."""
        from reconciler.sandbox.verbs.shape import shape_object

        return self.respond(shape_object(self, value), status)

    def respond(self, value: Any, status: int = 200) -> Response:
        """Any JSON value, or JSON that is encoded already."""
        media = self.accept.media
        if isinstance(value, bytes):
            body = value if media == JSON else content.encode(msgspec.json.decode(value), media)
        else:
            body = content.encode(value, media)
        return Response(status, {"content-type": self.accept.content_type, **warning_headers(self.warnings)}, body)


def mismatch_text(mismatch: TypeMismatch) -> str:
    """As Go's JSON decoder words it."""
    where = mismatch.where()
    return f"json: cannot unmarshal {mismatch.found} into Go struct field {where} of type {mismatch.wanted}"


def warning_headers(warnings: list[str]) -> dict[str, str]:
    """One header with a value for each warning, as RFC 7234 lists them."""
    if not warnings:
        return {}
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in dict.fromkeys(warnings))
    return {"warning": ", ".join(f'299 - "{text}"' for text in quoted)}


def refuse(refusal: Refusal, accept: Accept) -> Response:
    media = accept.media
    headers = {"content-type": media, **refusal.headers}
    return Response(refusal.code, headers, content.encode(refusal.status(), media))
