"""Reading from registries in memory: who is asked what, with which credentials, and what is believed."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from memory_registry import Host, MemoryRegistries, MemoryRegistry, digest_of, index_of
from virtual import virtual

from reconciler.errors import (
    ImageError,
    ImageMissing,
    ImageRefused,
    ImageUntrusted,
    RegistryDenied,
    RegistryUnreachable,
    TransportError,
)
from reconciler.http.transport import Request, Response
from reconciler.images.endpoint import Origin
from reconciler.images.reference import Reference, Repository
from reconciler.images.registry import INDEX, Registry
from reconciler.images.session import Session
from reconciler.model.image import RegistryHost

NAME = "r.example.com/shop/web"
WEB = Repository.parse(NAME)

Make = Callable[..., Session]


def state(config: Path, credentials: Mapping[str, str]) -> None:
    """Write credentials for the registry into the file `config`."""
    config.write_text(json.dumps({"auths": {"r.example.com": credentials}}))


@pytest.fixture
def registry(memory_session: Make) -> Registry:
    return Registry(memory_session())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Credentials of ada for the registry."""
    path = tmp_path / "config.json"
    state(path, {"username": "ada", "password": "s3cret"})
    return path


@pytest.fixture
def with_user(memory_session: Make, config: Path) -> Registry:
    return Registry(memory_session(config_file=config))


def authorizations(world: MemoryRegistries) -> list[str]:
    return [request.headers.get("authorization", "") for _, request in world.seen]


@virtual
async def test_a_tag_costs_one_head(world: MemoryRegistries, shop: MemoryRegistry, registry: Registry) -> None:
    digest = shop.put("shop/web", "1.4", b"{}")
    found = await registry.head(Reference.parse(f"{NAME}:1.4"))
    assert (found.digest, found.size) == (digest, 2)
    assert world.asked() == ["HEAD /v2/shop/web/manifests/1.4"]
    accepted = world.seen[0][1].headers["accept"]
    assert all(
        kind in accepted for kind in ("oci.image.index", "oci.image.manifest", "manifest.list.v2", "manifest.v2")
    )


@virtual
async def test_docker_hub_is_at_another_address(world: MemoryRegistries, registry: Registry) -> None:
    hub = world.at("registry-1.docker.io")
    digest = hub.put("library/redis", "7", b"{}")
    assert (await registry.head(Reference.parse("redis:7"))).digest == digest


@virtual
async def test_a_registry_that_tells_no_digest(shop: MemoryRegistry, registry: Registry) -> None:
    digest = shop.put("shop/web", "1.4", b"{ }")
    shop.tells_digest = False
    assert (await registry.head(Reference.parse(f"{NAME}:1.4"))).digest == digest


@virtual
async def test_what_comes_must_have_the_digest(shop: MemoryRegistry, registry: Registry) -> None:
    digest = shop.put("shop/web", "1.4", b"{}")
    shop.manifests["shop/web"][digest] = ("x", b'{"evil": 1}')
    for text in (f"{NAME}:1.4", f"{NAME}@{digest}"):
        with pytest.raises(ImageUntrusted, match="something else"):
            await registry.manifest(Reference.parse(text))
    shop.tells_digest = False
    with pytest.raises(ImageUntrusted):
        await registry.manifest(Reference.parse(f"{NAME}@{digest}"))
    shop.blobs[digest] = b"evil"
    with pytest.raises(ImageUntrusted):
        await registry.blob(WEB, digest, 100)


@virtual
async def test_a_head_of_a_digest_that_answers_another(shop: MemoryRegistry, registry: Registry) -> None:
    digest = digest_of(b"{}")
    for told in (digest_of(b"other"), "sha256:nonsense", "../../x"):
        shop.fault = lambda _request, told=told: Response(200, {"docker-content-digest": told}, b"")
        with pytest.raises(ImageUntrusted):
            await registry.head(Reference.parse(f"{NAME}@{digest}"))


@virtual
async def test_basic_credentials_go_only_where_they_are_asked_for(
    world: MemoryRegistries, shop: MemoryRegistry, with_user: Registry
) -> None:
    shop.put("shop/web", "1", b"{}")
    await with_user.head(Reference.parse(f"{NAME}:1"))
    assert authorizations(world) == [""]
    shop.users = {"ada": "s3cret"}
    for _ in range(3):
        await with_user.head(Reference.parse(f"{NAME}:1"))
    assert [bool(value) for value in authorizations(world)] == [False, False, True, True, True]
    other = world.at("other.example.com")
    other.users = {"ada": "s3cret"}
    with pytest.raises(RegistryDenied, match="refuses our credentials, or has no such"):
        await with_user.head(Reference.parse("other.example.com/x:1"))
    assert authorizations(world)[5:] == [""]


@virtual
async def test_a_token_is_bought_once_for_all(
    world: MemoryRegistries, shop: MemoryRegistry, with_user: Registry
) -> None:
    shop.users = {"ada": "s3cret"}
    shop.sell_tokens("auth.example.com")
    for number in range(20):
        shop.put("shop/web", str(number), b"{}")
    await with_user.head(Reference.parse(f"{NAME}:0"))
    await asyncio.gather(*(with_user.head(Reference.parse(f"{NAME}:{number}")) for number in range(20)))
    assert len(world.asked("GET")) == 1
    assert len(world.asked("HEAD")) == 22
    sold_at = [(where, r.path) for where, r in world.seen if r.path.startswith("/token")]
    assert sold_at == [
        (
            "https://auth.example.com",
            "/token?account=x&service=r.example.com&scope=repository%3Ashop%2Fweb%3Apull",
        )
    ]
    at_the_registry = [
        r.headers.get("authorization", "") for where, r in world.seen if where.endswith("//r.example.com")
    ]
    assert not any(value.startswith("Basic") for value in at_the_registry)


@virtual
async def test_an_expired_token_is_bought_anew(
    world: MemoryRegistries, shop: MemoryRegistry, with_user: Registry
) -> None:
    shop.users = {"ada": "s3cret"}
    shop.sell_tokens("auth.example.com")
    shop.put("shop/web", "1", b"{}")
    await with_user.head(Reference.parse(f"{NAME}:1"))
    await asyncio.sleep(289)
    await with_user.head(Reference.parse(f"{NAME}:1"))
    assert len(shop.tokens) == 1
    await asyncio.sleep(2)
    await with_user.head(Reference.parse(f"{NAME}:1"))
    assert len(shop.tokens) == 2
    shop.tokens.clear()  # revoked before its time: the 401 tells
    await with_user.head(Reference.parse(f"{NAME}:1"))
    assert len(shop.tokens) == 1


@virtual
async def test_anonymous_tokens_and_identity_tokens(
    world: MemoryRegistries, shop: MemoryRegistry, registry: Registry, memory_session: Make, config: Path
) -> None:
    shop.users = {"ada": "s3cret"}
    shop.sell_tokens("auth.example.com")
    shop.put("shop/web", "1", b"{}")
    with pytest.raises(RegistryDenied, match="refuses us a token"):
        await registry.head(Reference.parse(f"{NAME}:1"))
    shop.anonymous_pull = True
    await registry.head(Reference.parse(f"{NAME}:1"))
    shop.anonymous_pull = False
    shop.identity_tokens = {"t0ken"}
    state(config, {"identitytoken": "t0ken"})
    await Registry(memory_session(config_file=config)).head(Reference.parse(f"{NAME}:1"))
    assert world.seen[-2][1].method == "POST"
    assert b"t0ken" in world.seen[-2][1].body


@pytest.mark.parametrize(
    "realm", ["http://auth.example.com/token", "file:///etc/passwd", "ftp://x/y", "https://u:p@x/y"]
)
def test_a_realm_that_would_show_our_password(
    realm: str, world: MemoryRegistries, shop: MemoryRegistry, with_user: Registry
) -> None:
    @virtual
    async def asked() -> None:
        shop.fault = lambda _request: Response(401, {"www-authenticate": f'Bearer realm="{realm}",service="x"'}, b"")
        with pytest.raises(ImageRefused):
            await with_user.head(Reference.parse(f"{NAME}:1"))

    asked()
    assert len(world.seen) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Response(401, {}, b'{"errors":[{"code":"NO","message":"log in"}]}'), RegistryDenied, "401: NO log in"),
        (Response(403, {}, b'{"errors":[{"code":"DENIED","message":"no"}]}'), RegistryDenied, "403: DENIED no"),
        (Response(404, {}, b"<html>"), ImageMissing, "it answered 404"),
        (Response(429, {"retry-after": "7"}, b"{}"), RegistryUnreachable, "asked too often"),
        (Response(500, {}, b'{"errors":[{"message":"a\\u001b[31mb"}]}'), RegistryUnreachable, "500: a [31mb"),
        (Response(503, {}, b'{"errors": 7}'), RegistryUnreachable, "it answered 503"),
        (Response(302, {"location": "https://in.example.com/x"}, b""), ImageRefused, "redirects to in.example.com"),
        (Response(400, {}, b'{"errors":[null]}'), ImageError, "it answered 400"),
        (TransportError("no", why="TLS failed: x"), RegistryUnreachable, "TLS failed"),
        (TransportError("no", why="no connection"), RegistryUnreachable, "gave no usable answer: no connection"),
    ],
)  # fmt: skip
def test_refusals_are_worded(
    answer: Response | TransportError, kind: type[ImageError], said: str, shop: MemoryRegistry, registry: Registry
) -> None:
    @virtual
    async def asked() -> None:
        shop.fault = lambda _request: answer
        with pytest.raises(kind) as caught:
            await registry.head(Reference.parse(f"{NAME}:1"))
        assert type(caught.value) is kind
        assert said in str(caught.value)
        assert f"{NAME}:1" in str(caught.value) or isinstance(answer, TransportError)

    asked()


@virtual
async def test_a_busy_registry_is_asked_again_when_it_wants(
    world: MemoryRegistries, shop: MemoryRegistry, registry: Registry
) -> None:
    digest = shop.put("shop/web", "1", b"{}")
    busy = iter([Response(429, {"retry-after": "7"}, b""), Response(503, {}, b""), TransportError("reset")])
    shop.fault = lambda _request: next(busy, None)
    start = asyncio.get_running_loop().time()
    assert (await registry.head(Reference.parse(f"{NAME}:1"))).digest == digest
    assert 7 < asyncio.get_running_loop().time() - start < 12
    assert len(world.seen) == 4


@virtual
async def test_tags_are_listed_page_by_page(world: MemoryRegistries, shop: MemoryRegistry, registry: Registry) -> None:
    shop.page = 1000
    for number in range(10_000):
        shop.tags.setdefault("shop/web", {})[f"1.0.{number}"] = "x"
    shop.tags["shop/web"] |= {"bad tag": "x", "-x": "x", "a\n": "x"}
    tags = await registry.tags(WEB)
    assert len(tags) == len(set(tags)) == 10_000
    assert len(world.seen) == 11


@pytest.mark.parametrize(
    "link",
    [
        '</v2/shop/web/tags/list?last=a&n=1>; rel="next"',  # always the same
        '<https://evil.example.com/v2/shop/web/tags/list>; rel="next"',
        '<http://r.example.com/v2/shop/web/tags/list?last=z>; rel="next"',
        '<//[::>; rel="next"',
    ],
)
def test_links_that_lead_astray(link: str, world: MemoryRegistries, shop: MemoryRegistry, registry: Registry) -> None:
    @virtual
    async def asked() -> None:
        shop.fault = lambda _request: Response(200, {"link": link}, b'{"tags": ["a"]}')
        with pytest.raises(ImageError):
            await registry.tags(WEB)

    asked()
    assert len(world.seen) <= 2


@virtual
async def test_a_blob_from_elsewhere_never_sees_our_credentials(
    world: MemoryRegistries, shop: MemoryRegistry, with_user: Registry
) -> None:
    shop.users = {"ada": "s3cret"}
    shop.blobs[digest_of(b"layer")] = b"layer"
    shop.blobs_from = Origin("https", "store.example.com")
    Host(world, shop.blobs_from, lambda _request: Response(200, {}, b"layer"))
    assert await with_user.blob(WEB, digest_of(b"layer"), 100) == b"layer"
    elsewhere = [r for where, r in world.seen if where == "https://store.example.com"]
    assert [("authorization" in r.headers, "signature=s3cret" in r.path) for r in elsewhere] == [(False, True)]


@virtual
async def test_redirects_that_are_not_followed(
    world: MemoryRegistries, shop: MemoryRegistry, registry: Registry
) -> None:
    digest = digest_of(b"layer")
    shop.blobs[digest] = b"layer"
    shop.blobs_from = Origin("http", "store.example.com")
    with pytest.raises(ImageRefused, match="not encrypted"):
        await registry.blob(WEB, digest, 100)
    for nowhere in ("https://[::", "", "ftp://x/y", "https://u:p@x/y", "https://x:99999/"):
        shop.fault = lambda _request, nowhere=nowhere: Response(307, {"location": nowhere}, b"")
        with pytest.raises(ImageRefused):
            await registry.blob(WEB, digest, 100)
    world.seen.clear()
    shop.fault = lambda _request: Response(307, {"location": "/again"}, b"")
    with pytest.raises(ImageRefused, match="in circles"):
        await registry.blob(WEB, digest, 100)
    assert len(world.seen) < 10


@virtual
async def test_a_blob_larger_than_it_may_be(shop: MemoryRegistry, registry: Registry) -> None:
    shop.blobs[digest_of(b"x" * 101)] = b"x" * 101
    with pytest.raises(RegistryUnreachable, match="more than 100 bytes"):
        await registry.blob(WEB, digest_of(b"x" * 101), 100)


@virtual
async def test_referrers_by_the_api_and_by_the_fallback(shop: MemoryRegistry, registry: Registry) -> None:
    digest = shop.put("shop/web", "1", b"{}")
    reference = Reference.parse(f"{NAME}@{digest}")
    assert await registry.referrers(reference) == ()
    shop.put("shop/web", digest.replace(":", "-"), index_of([{"digest": "by tag"}]), INDEX)
    assert [one["digest"] for one in await registry.referrers(reference)] == ["by tag"]
    shop.knows_referrers = True
    other = shop.put("shop/web", "", json.dumps({"subject": {"digest": digest}}).encode())
    assert [one["digest"] for one in await registry.referrers(reference)] == [other]


@virtual
async def test_plain_http_only_on_loopback_or_where_it_is_configured(
    world: MemoryRegistries, memory_session: Make
) -> None:
    for netloc in ("localhost:5000", "127.0.0.1:5000", "[::1]:5000", "r.example.com"):
        world.at(netloc, "http").put("x", "1", b"{}")
    registry = Registry(memory_session())
    for netloc in ("localhost:5000", "127.0.0.1:5000", "[::1]:5000"):
        await registry.head(Reference.parse(f"{netloc}/x:1"))
    with pytest.raises(RegistryUnreachable):
        await registry.head(Reference.parse("r.example.com/x:1"))
    stated = Registry(memory_session(RegistryHost("r.example.com", plain_http=True)))
    await stated.head(Reference.parse("r.example.com/x:1"))
    encrypted = Registry(memory_session(RegistryHost("localhost:5000", plain_http=False)))
    with pytest.raises(RegistryUnreachable):
        await encrypted.head(Reference.parse("localhost:5000/x:1"))


@virtual
async def test_no_secret_in_what_is_said(world: MemoryRegistries, shop: MemoryRegistry, with_user: Registry) -> None:
    shop.users = {"ada": "other"}
    shop.put("shop/web", "1", b"{}")
    with pytest.raises(RegistryDenied) as caught:
        await with_user.head(Reference.parse(f"{NAME}:1"))
    said = "\n".join(caught.value.diagnostics())
    assert "s3cret" not in said
    assert authorizations(world)[-1].removeprefix("Basic ") not in said


def test_a_registry_in_memory_refuses_as_real_ones_do(shop: MemoryRegistry) -> None:
    assert shop.answer(Request("GET", "/v2/none/manifests/1")).status == 404
