"""Many that follow: how much is asked, and that one that fails is alone with it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_registry import MemoryRegistries
from registry_server import RegistryServer
from small_images import manifest_of, push_image
from virtual import virtual

from reconciler.errors import ImageError, ImageMissing, ImageRefused, RegistryDenied, RegistryUnreachable
from reconciler.http.transport import Response
from reconciler.images.push import Pusher
from reconciler.images.reference import Repository
from reconciler.images.registry import MANIFEST, Registry
from reconciler.images.resolve import Resolver, Schedule
from reconciler.images.session import Session
from reconciler.kube.names import Identity
from reconciler.model.image import Follow, Resolved, Wanted

SEMVER = Follow(semver="*")


def wanting(name: str, repository: str, follow: Follow) -> Wanted:
    return Wanted(Identity("reconciler.dev", "Image", "shop", name), repository, follow)


def by_name(found) -> dict[str, Resolved | ImageError]:
    return {identity.name: answer for identity, answer in found.items()}


@pytest.fixture
def resolver(memory_session: Callable[..., Session]) -> Resolver:
    return Resolver(Registry(memory_session()))


@virtual
async def test_what_is_followed_by_many_is_asked_once(world: MemoryRegistries, resolver: Resolver) -> None:
    shop = world.at("r.example.com")
    shop.page = 4
    digests = {f"1.{n}.0": shop.put("web", f"1.{n}.0", b'{"n": %d}' % n) for n in range(10)}
    wanted = [wanting(f"a{n}", "r.example.com/web", Follow(semver="~1.2")) for n in range(5)]
    wanted += [wanting(f"b{n}", "r.example.com/web", Follow(semver="*")) for n in range(5)]
    wanted += [wanting(f"c{n}", "r.example.com/web", Follow(tag="1.2.0")) for n in range(5)]
    found = by_name(await resolver.resolve(wanted))
    assert found["a3"] == Resolved(
        f"r.example.com/web:1.2.0@{digests['1.2.0']}", "r.example.com/web", "1.2.0", digests["1.2.0"]
    )
    assert found["c0"] == found["a0"]
    assert found["b4"].tag == "1.9.0"
    assert Counter(world.asked()) == {
        "GET /v2/web/tags/list": 3,
        "HEAD /v2/web/manifests/1.2.0": 1,
        "HEAD /v2/web/manifests/1.9.0": 1,
    }


@virtual
async def test_one_that_fails_is_alone_with_it(world: MemoryRegistries, resolver: Resolver) -> None:
    shop = world.at("r.example.com")
    shop.put("web", "1.0.0", b"{}")
    shop.put("pre", "1.0.0-rc.1", b"{}")
    world.at("denied.example.com").fault = lambda _request: Response(403, {}, b"")
    found = by_name(
        await resolver.resolve(
            [
                wanting("good", "r.example.com/web", SEMVER),
                wanting("gone", "r.example.com/web", Follow(tag="2.0.0")),
                wanting("none", "r.example.com/none", SEMVER),
                wanting("pre", "r.example.com/pre", SEMVER),
                wanting("denied", "denied.example.com/web", SEMVER),
                wanting("down", "down.example.com/web", SEMVER),
                wanting("evil", "r.example.com/../web", SEMVER),
                wanting("range", "r.example.com/web", Follow(semver="x y z")),
            ]
        )
    )
    kinds = {name: type(answer) for name, answer in found.items()}
    assert kinds == {
        "good": Resolved,
        "gone": ImageMissing,
        "none": ImageMissing,
        "pre": ImageMissing,
        "denied": RegistryDenied,
        "down": RegistryUnreachable,
        "evil": ImageRefused,
        "range": ImageRefused,
    }
    assert str(found["pre"]) == (
        "r.example.com/pre: no tag is what is followed: it follows semver *; the repository has 1 tags"
    )


@virtual
async def test_a_registry_is_not_overrun(world: MemoryRegistries, memory_session: Callable[..., Session]) -> None:
    shop = world.at("r.example.com")
    shop.put("web", "1", b"{}")
    flying, most = 0, 0
    real = world.connect

    class Counting:
        def __init__(self, inner) -> None:
            self._inner = inner

        async def send(self, request):
            nonlocal flying, most
            flying += 1
            most = max(most, flying)
            await asyncio.sleep(1)
            flying -= 1
            return await self._inner.send(request)

    world.connect = lambda origin, ca: Counting(real(origin, ca))  # type: ignore[method-assign,assignment,return-value]
    resolver = Resolver(Registry(memory_session()), at_once=8)
    await resolver.resolve(wanting(str(n), "r.example.com/web", Follow(tag=str(n))) for n in range(50))
    assert most == 8


@virtual
async def test_a_registry_that_fails_is_given_up(world: MemoryRegistries, resolver: Resolver) -> None:
    """Each request is tried again for a minute; 500 of them would take an hour."""
    good = world.at("good.example.com")
    world.at("r.example.com").fault = lambda _request: Response(503, {}, b"")
    wanted = [wanting(str(n), f"r.example.com/web{n}", Follow(tag="1")) for n in range(500)]
    for n in range(20):
        good.put(f"web{n}", "1", b"{}")
        wanted.append(wanting(f"good{n}", f"good.example.com/web{n}", Follow(tag="1")))
    found = by_name(await resolver.resolve(wanted))
    assert asyncio.get_running_loop().time() < 120
    assert {type(found[str(n)]) for n in range(500)} == {RegistryUnreachable}
    assert "r.example.com/web499" in str(found["499"])
    assert {type(found[f"good{n}"]) for n in range(20)} == {Resolved}
    assert len(world.seen) < 200


async def test_followed_tags_that_did_not_change(open_registry: RegistryServer, session) -> None:
    """HEADs and listings only: `benchmarks/images.py` tells how long that takes for 500."""
    connected = session()
    pusher = Pusher(connected)
    names = [open_registry.name(f"many/{n}") for n in range(5)]
    for name in names:
        await push_image(pusher, Repository.parse(name), "1.0.0", b"layer")
    wanted = [wanting(f"{n}-{tag}", name, follow) for n, name in enumerate(names) for tag, follow in policies()]
    manifests = [
        pusher.manifest(Repository.parse(name).at(tag=f"1.{tag}.0"), manifest_of(b"layer"), MANIFEST)
        for name in names
        for tag in range(1, 20)
    ]
    await asyncio.gather(*manifests)
    resolver = Resolver(Registry(connected))
    first = await resolver.resolve(wanted)
    assert len(first) == 100
    before = len(open_registry.requests())
    assert await resolver.resolve(wanted) == first
    asked = Counter(request.split()[0] for request in open_registry.requests()[before:])
    assert asked == {"HEAD": 100, "GET": 5}


def policies() -> list[tuple[str, Follow]]:
    """Twenty for a repository, which mean twenty different tags; ten of them need its list of tags."""
    exact = [(f"t{tag}", Follow(tag=f"1.{tag}.0")) for tag in range(10)]
    return exact + [(f"s{tag}", Follow(semver=f"~1.{tag}")) for tag in range(10, 20)]


@given(st.integers(1, 3000), st.lists(st.booleans(), max_size=40))
def test_when_to_look_again(interval: int, outcomes: list[bool]) -> None:
    schedule = Schedule(float(interval), Random(1))
    failures = 0
    for failed in outcomes:
        failures = failures + 1 if failed else 0
        pause = schedule.after(failed=failed)
        assert 0.9 * interval <= pause <= 1.1 * max(interval, Schedule.LONGEST)
        if not failed:
            assert pause <= 1.1 * interval


def test_two_schedules_do_not_meet() -> None:
    first, second = Schedule(300.0, Random(1)), Schedule(300.0, Random(2))
    assert first.after(failed=False) != second.after(failed=False)
