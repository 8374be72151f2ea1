"""What Images mean where nobody is asked: the same for equal inputs, another for others, and known where it is."""

from imaged import FILES, image
from memory_repository import MemoryRepository
from memory_tree import MemoryTree
from texts import deployment
from virtual import virtual

from reconciler.engine.images import Known
from reconciler.engine.unasked import Unasked
from reconciler.images.inputs import Gatherer
from reconciler.images.lock import Locked, changed
from reconciler.images.reference import Reference
from reconciler.kube.names import Identity
from reconciler.model.image import Build, Unknown
from reconciler.specs.load import Loader

WEB, REDIS = (Identity("reconciler.dev", "Image", "shop", name) for name in ("web", "redis"))
A, B = ("sha256:" + letter * 64 for letter in "ab")
FOLLOWED = image("redis", follow='{semver: "^7"}')


async def known(files: dict[str, str], running: tuple[str, ...] = ()) -> Known:
    repository = MemoryRepository("shop")
    repository.commit(files)
    snapshot = (await repository.poll()).snapshot
    assert snapshot is not None
    specs = await Loader().load(snapshot, repository, namespace="shop")

    async def runs() -> list[Reference]:
        return [Reference.parse(one) for one in running]

    return await Unasked(repository, runs).of(snapshot, specs)


def locked(name: str, tag: str, digest: str) -> dict[str, str]:
    entry = {f"Image/shop/{name}": Locked(f"r.example.com/{name}", tag, digest)}
    return {"images.lock.yaml": changed(b"", entry, "l").decode()}


@virtual
async def test_a_build_is_known_by_its_inputs() -> None:
    files = {**FILES, "image.yaml": image(), "web.yaml": deployment(image="web")}
    found = await known(files)
    assert found.pinned is not None
    assert isinstance(found.pinned[WEB], Unknown)
    memory = MemoryTree(dict(files))
    inputs = await Gatherer().gather(Build("web"), "image.yaml", memory.tree, memory)
    reference = f"r.example.com/web:{inputs.tag({})}"
    assert await known(files, (f"{reference}@{A}",)) == Known({WEB: f"{reference}@{A}"})
    lock = locked("web", inputs.tag({}), B)
    assert await known({**files, **lock}, (f"{reference}@{A}",)) == Known({WEB: f"{reference}@{B}"})
    newer = await known({**files, **lock, "web/main.py": "x"}, (f"{reference}@{A}",))
    assert newer.pinned == {WEB: f"{reference}@{A}"}
    assert [problem.message.partition(";")[0] for problem in newer.problems] == [
        "whether it has been built from these inputs is not asked here"
    ]


@virtual
async def test_what_is_followed() -> None:
    nothing = (await known({"redis.yaml": FOLLOWED})).pinned
    assert nothing is not None
    assert isinstance(nothing[REDIS], Unknown)
    running = (f"r.example.com/redis:7.0.0@{A}", f"r.example.com/redis:6.0.0@{B}")
    assert await known({"redis.yaml": FOLLOWED}, running) == Known({REDIS: running[0]})
    entry = locked("redis", "7.2.0", B)
    assert await known({"redis.yaml": FOLLOWED, **entry}, running) == Known({REDIS: f"r.example.com/redis:7.2.0@{B}"})


@virtual
async def test_a_tag_is_what_is_stated_and_a_broken_lock_is_said() -> None:
    tagged = {"redis.yaml": image("redis", tag='"7"')}
    assert await known(tagged) == Known({REDIS: "r.example.com/redis:7"})
    broken = await known({**tagged, "images.lock.yaml": "images: ["})
    assert broken.pinned is not None
    assert isinstance(broken.pinned[REDIS], Unknown)
    assert "images.lock.yaml" in broken.problems[0].message
