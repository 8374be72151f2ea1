"""Whatever a registry answers: a result, or one of our errors; in bounded time, and with few requests."""

import asyncio
import contextlib
import json
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from memory_registry import Host, MemoryRegistries

from reconciler.clock import LoopClock, run_virtual
from reconciler.errors import ImageError, TransportError
from reconciler.http.transport import Request, Response
from reconciler.images.artifact import fetch
from reconciler.images.created import created
from reconciler.images.endpoint import Origin
from reconciler.images.push import Pusher
from reconciler.images.reference import Repository, digest_of
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.images.signatures import ANNOTATION, BUNDLE, SIMPLE, verify
from reconciler.model.image import Registries

WEB = Repository.parse("r.example.com/web")
IMAGE = WEB.at(tag="1", digest=digest_of(b"{}"))

TEXT = st.text(max_size=20)
URLS = st.sampled_from(
    ["", "/", "/v2/x", "//evil", "https://[::", "http://evil/x", "https://r.example.com/v2/web/u?a=b",
     "?", "#", "https://x:y/"]
) | TEXT  # fmt: skip
DIGESTS = st.sampled_from([IMAGE.digest, "sha256:x", "", "sha512:" + "0" * 128, "../../x", digest_of(b"[]")]) | TEXT
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "location": URLS,
        "link": st.builds('<{}>; rel="next"'.format, URLS) | TEXT,
        "docker-content-digest": DIGESTS,
        "content-type": TEXT,
        "content-length": st.sampled_from(["0", "-1", "x", "9" * 30]),
        "www-authenticate": st.sampled_from(
            ["", "Basic", 'Bearer realm="https://x/t",service="x"', "Bearer realm=x", 'Bearer realm="http://x"', "\0"]
        ),
        "retry-after": st.sampled_from(["1", "x", "999999999", "Wed, 21 Oct 2015 07:28:00 GMT"]),
        "range": st.sampled_from(["0-0", "0-5", "0-99999999", "x", "5-0"]),
    },
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | DIGESTS | st.sampled_from([SIMPLE, BUNDLE]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["tags", "manifests", "layers", "config", "digest", "mediaType", "annotations", ANNOTATION, "errors",
             "code", "token", "expires_in", "artifactType", "subject", "dsseEnvelope", "platform", "size"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
BODIES = st.builds(lambda value: json.dumps(value).encode(), JSON) | st.binary(max_size=20)
STATUSES = st.sampled_from([200, 200, 200, 201, 202, 204, 301, 307, 400, 401, 403, 404, 405, 416, 429, 500, 503, 999])
ANSWERS = st.builds(Response, STATUSES, HEADERS, BODIES) | st.just(TransportError("no", why="reset"))


async def ask_everything(session: Session, folder: Any) -> None:
    registry, pusher = Registry(session), Pusher(session, piece=2, tries=2)

    async def read(offset: int, size: int) -> bytes:
        return b"layer"[offset : offset + size]

    questions: list[Any] = [
        lambda: registry.head(WEB.at(tag="1")),
        lambda: registry.head(IMAGE),
        lambda: registry.manifest(IMAGE),
        lambda: registry.has(IMAGE),
        lambda: registry.tags(WEB),
        lambda: registry.blob(WEB, IMAGE.digest, 1000),
        lambda: registry.referrers(IMAGE),
        lambda: created(registry, WEB.at(tag="1")),
        lambda: verify(registry, IMAGE, []),
        lambda: fetch(registry, IMAGE, folder),
        lambda: pusher.blob(WEB, digest_of(b"layer"), 5, read),
        lambda: pusher.manifest(WEB.at(tag="1"), b"{}", "x"),
    ]
    for question in questions:
        with contextlib.suppress(ImageError):
            await question()


@given(st.lists(ANSWERS, min_size=1, max_size=8), st.integers(0, 2**16))
def test_any_answers_are_a_result_or_one_of_our_errors(
    tmp_path_factory: Any, answers: list[Response | TransportError], seed: int
) -> None:
    world = MemoryRegistries()
    random = Random(seed)

    def answer(_request: Request) -> Response:
        chosen = random.choice(answers)
        if isinstance(chosen, TransportError):
            raise chosen
        return chosen

    for scheme, netloc in (("https", "r.example.com"), ("https", "evil"), ("https", "x")):
        Host(world, Origin(scheme, netloc), answer)

    async def asked() -> float:
        session = Session(Registries(), LoopClock(), Random(1), connect=world.connect)
        await ask_everything(session, tmp_path_factory.getbasetemp())
        await session.close()
        return asyncio.get_running_loop().time()

    assert run_virtual(asked()) < 3600
    assert len(world.seen) < 5000
    assert {where for where, _ in world.seen} <= {"https://r.example.com", "https://evil", "https://x"}
