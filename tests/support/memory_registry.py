"""Registries in memory, behind the Transport that ours are: what Debian's docker-registry cannot be told to do.

    world = MemoryRegistries()
    shop = world.at("registry.example.com")            # or world.at("localhost:5000", scheme="http")
    digest = shop.put("shop/web", "1.4", b"{}")
    session = Session(Registries(), clock, random, connect=world.connect)

A registry may ask for tokens, page its tags, know referrers, send blobs from elsewhere, and answer what `fault` says.
"""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response, Stream
from reconciler.images.endpoint import Origin

_ROUTE = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>[^?]*)")

MANIFEST = "application/vnd.oci.image.manifest.v1+json"

Fault = Callable[[Request], Response | TransportError | None]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def index_of(descriptors: list[Mapping[str, Any]]) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": descriptors}).encode()


class MemoryRegistries:
    """All hosts of a test's network. `seen` holds every request with the origin it went to."""

    def __init__(self) -> None:
        self.hosts: dict[Origin, Host] = {}
        self.seen: list[tuple[str, Request]] = []

    def at(self, netloc: str, scheme: str = "https") -> "MemoryRegistry":
        made = MemoryRegistry(self, Origin(scheme, netloc))
        self.hosts[made.origin] = made
        return made

    def connect(self, origin: Origin, _ca_file: str | None) -> "_Connection":
        return _Connection(self, origin)

    def asked(self, *methods: str) -> list[str]:
        """`METHOD path` of the requests so far, without their queries."""
        return [f"{r.method} {r.path.partition('?')[0]}" for _, r in self.seen if not methods or r.method in methods]


class _Connection:
    def __init__(self, world: MemoryRegistries, origin: Origin) -> None:
        self._world = world
        self._origin = origin

    async def send(self, request: Request) -> Response:
        self._world.seen.append((str(self._origin), request))
        host = self._world.hosts.get(self._origin)
        if host is None:
            raise TransportError("no usable answer", where=request.path, why=f"no connection to {self._origin}")
        answer = host.answer(request)
        if request.limit and len(answer.body) > request.limit:
            raise TransportError("the answer cannot be read", why=f"it has more than {request.limit:,} bytes")
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        raise AssertionError("no registry is asked for a stream")
        yield

    async def close(self) -> None:
        pass


class Host:
    """A host that answers what it is told to."""

    def __init__(self, world: MemoryRegistries, origin: Origin, answer: Callable[[Request], Response]) -> None:
        self.answer = answer
        world.hosts[origin] = self


class MemoryRegistry(Host):
    def __init__(self, world: MemoryRegistries, origin: Origin) -> None:
        super().__init__(world, origin, self._answer)
        self.world = world
        self.origin = origin
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.users: dict[str, str] = {}  # empty: anybody
        self.token_host: str = ""  # who sells tokens; "" for Basic
        self.identity_tokens: set[str] = set()
        self.anonymous_pull = False
        self.tokens: dict[str, str] = {}  # token → scopes
        self.expires_in: int | None = 300
        self.page = 0  # tags of one answer; 0 for all
        self.knows_referrers = False
        self.blobs_from: Origin | None = None
        self.tells_digest = True
        self.fault: Fault = lambda _request: None

    def put(
        self, name: str, tag: str, content: bytes, media_type: str = "application/vnd.oci.image.manifest.v1+json"
    ) -> str:
        digest = digest_of(content)
        self.manifests.setdefault(name, {})[digest] = (media_type, content)
        if tag:
            self.tags.setdefault(name, {})[tag] = digest
        return digest

    def sell_tokens(self, netloc: str) -> None:
        self.token_host = netloc
        Host(self.world, Origin(self.origin.scheme, netloc), self._sell)

    def _sell(self, request: Request) -> Response:
        query = dict(parse_qsl(urlsplit(request.path).query))
        form = dict(parse_qsl(request.body.decode())) if request.method == "POST" else {}
        scopes = " ".join(parse_qs(urlsplit(request.path).query).get("scope", [])) or form.get("scope", "")
        assert {**query, **form}.get("service") == self.origin.netloc
        given = request.headers.get("authorization", "")
        if form:
            known = form.get("refresh_token") in self.identity_tokens
        else:
            known = self._user(given) or (self.anonymous_pull and not given and "push" not in scopes)
        if not known:
            return Response(401, {}, b"{}")
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = scopes
        said = {"token": token, **({"expires_in": self.expires_in} if self.expires_in else {})}
        return Response(200, {}, json.dumps(said).encode())

    def _user(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        if scheme != "Basic":
            return False
        user, _, password = base64.b64decode(value).decode().partition(":")
        return self.users.get(user) == password

    def _allowed(self, request: Request, name: str) -> bool:
        if not self.users and not self.token_host:
            return True
        header = request.headers.get("authorization", "")
        if not self.token_host:
            return self._user(header)
        wanted = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "push")
        scopes = self.tokens.get(header.removeprefix("Bearer "), "")
        return any(s.startswith(f"repository:{name}:") and wanted in s.rpartition(":")[2] for s in scopes.split())

    def _answer(self, request: Request) -> Response:
        if (fault := self.fault(request)) is not None:
            if isinstance(fault, TransportError):
                raise fault
            return fault
        match = _ROUTE.match(request.path)
        if match is None:
            return _error(404, "NOT_FOUND")
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if not self._allowed(request, name):
            challenge = 'Basic realm="registry"'
            if self.token_host:
                realm = f"{self.origin.scheme}://{self.token_host}/token?account=x"
                challenge = f'Bearer realm="{realm}",service="{self.origin.netloc}",scope="repository:{name}:pull"'
            return Response(401, {"www-authenticate": challenge}, b'{"errors":[{"code":"UNAUTHORIZED"}]}')
        match kind:
            case "manifests":
                return self._manifest(request, name, rest)
            case "blobs":
                return self._upload(request, name, rest) if rest.startswith("uploads/") else self._blob(rest)
            case "tags":
                return self._tags(request, name)
            case _:
                return self._referrers(name, rest)

    def _upload(self, request: Request, name: str, rest: str) -> Response:
        if request.method == "POST":
            return Response(202, {"location": f"/v2/{name}/blobs/uploads/one"}, b"")
        if request.method != "PUT":
            return _error(405, "UNSUPPORTED")
        digest = dict(parse_qsl(urlsplit(request.path).query)).get("digest", "")
        if digest != digest_of(request.body):
            return _error(400, "DIGEST_INVALID")
        self.blobs[digest] = request.body
        return Response(201, {"location": f"/v2/{name}/blobs/{digest}"}, b"")

    def _manifest(self, request: Request, name: str, rest: str) -> Response:
        if request.method == "PUT":
            tag = "" if ":" in rest else rest
            return Response(201, {"docker-content-digest": self.put(name, tag, request.body)}, b"")
        if request.method == "DELETE":
            self.tags[name] = {tag: digest for tag, digest in self.tags.get(name, {}).items() if digest != rest}
            return Response(202 if self.manifests.get(name, {}).pop(rest, None) else 404, {}, b"")
        digest = rest if ":" in rest else self.tags.get(name, {}).get(rest, "")
        found = self.manifests.get(name, {}).get(digest)
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN")
        headers = {"content-type": found[0], "content-length": str(len(found[1]))}
        if self.tells_digest:
            headers["docker-content-digest"] = digest
        return Response(200, headers, b"" if request.method == "HEAD" else found[1])

    def _blob(self, digest: str) -> Response:
        if digest not in self.blobs:
            return _error(404, "BLOB_UNKNOWN")
        if self.blobs_from is not None:
            where = f"{self.blobs_from}/store/{quote(digest)}?signature=s3cret"
            return Response(307, {"location": where}, b"")
        return Response(200, {}, self.blobs[digest])

    def _tags(self, request: Request, name: str) -> Response:
        if name not in self.tags:
            return _error(404, "NAME_UNKNOWN")
        query = {**dict(parse_qsl(urlsplit(request.path).query)), **dict(request.query)}
        listed = sorted(self.tags[name])
        if last := query.get("last"):
            listed = [tag for tag in listed if tag > last]
        headers = {}
        if self.page and len(listed) > self.page:
            listed = listed[: self.page]
            headers["link"] = f'</v2/{name}/tags/list?last={quote(listed[-1])}&n={self.page}>; rel="next"'
        return Response(200, headers, json.dumps({"name": name, "tags": listed}).encode())

    def _referrers(self, name: str, digest: str) -> Response:
        if not self.knows_referrers:
            return _error(404, "NOT_FOUND")
        found: list[Mapping[str, Any]] = []
        for other, (media_type, content) in self.manifests.get(name, {}).items():
            loaded = json.loads(content)
            if (loaded.get("subject") or {}).get("digest") == digest:
                described = {"mediaType": media_type, "digest": other, "size": len(content)}
                found.append({**described, "artifactType": loaded.get("artifactType")})
        return Response(200, {"content-type": "application/vnd.oci.image.index.v1+json"}, index_of(found))


def _error(status: int, code: str) -> Response:
    return Response(status, {}, json.dumps({"errors": [{"code": code, "message": "not here"}]}).encode())
