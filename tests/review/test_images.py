"""Images in a review: what would be built is told from the inputs alone, with no registry and no build."""

from imaged import FILES, image
from memory_repository import MemoryRepository
from texts import deployment
from virtual import virtual

from reconciler.engine.image_documents import known
from reconciler.engine.images import AsStated, Known
from reconciler.engine.wanting import Wanting
from reconciler.errors import ImageMissing
from reconciler.images.reference import Reference
from reconciler.images.stated import Origin, Pin
from reconciler.kube.names import Identity
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import Owner
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import ImageSpec, Specs
from reconciler.review.building import ImageChange, Unbuilt
from reconciler.review.review import Review
from reconciler.review.reviewer import Beside, Reviewer
from reconciler.review.views import markdown, text

WEB = Identity("reconciler.dev", "Image", "shop", "web")
DIGEST = f"@sha256:{'1' * 64}"
RUNS = f"r.example.com/web:inputs-1{DIGEST}"
MAIN = {"image.yaml": image(), "web.yaml": deployment(image="web"), **FILES}


class Told(AsStated):
    """What is built means one reference, or nobody knows; a tag has a digest."""

    def __init__(self, reference: str | None) -> None:
        self._reference = reference

    async def of(self, snapshot: Snapshot, specs: Specs) -> Known:
        spec = specs.documents[WEB].spec if WEB in specs.documents else None
        if not isinstance(spec, ImageSpec):
            return known(specs, {})
        reference = f"{spec.repository}:{spec.tag}{DIGEST}" if spec.tag else self._reference
        there = Pin(Reference.parse(reference), Origin.LOCK) if reference else ImageMissing("not built")
        return known(specs, {WEB: there})


async def reviewed(head: dict[str, str | None], reference: str | None, base: dict[str, str] | None = None) -> Review:
    repository = MemoryRepository("shop")
    config = SourceConfig(name="shop", url="/srv/shop", namespace="shop")
    owner = Owner("test", "shop")
    repository.commit(base or MAIN)
    before = (await repository.poll()).snapshot
    repository.commit(head)
    after = (await repository.poll()).snapshot
    assert before is not None
    assert after is not None
    wanting = Wanting(config, owner, repository, images=Unbuilt(Told(reference), repository))
    return await Reviewer(config, owner, wanting).review(before, after, after.revision, Beside())


@virtual
async def test_changed_inputs_are_a_build_and_a_roll_out() -> None:
    for reference in (RUNS, None):
        review = await reviewed({"web/main.py": "print()\n"}, reference)
        (change,) = review.images
        assert (change.identity, change.builds) == (WEB, True)
        assert change.before.startswith(reference or "r.example.com/web:to-be-built-")
        (rolled,) = review.effects.merged
        assert [field.path for field in rolled.fields] == ["spec.template.spec.containers[name=web].image"]
        assert review.problems == ()
        assert "would be built: its inputs changed" in text.render(review)
        assert "Images: 1 would be built" in markdown.render(review)


@virtual
async def test_other_files_build_nothing() -> None:
    for reference in (RUNS, None):
        review = await reviewed({"docs/readme.md": "Hello\n", "web/images.lock.yaml": "{}\n"}, reference)
        assert review.images == ()
        assert review.effects.merged == ()


@virtual
async def test_a_new_image_is_built_and_one_that_goes_is_told() -> None:
    new = await reviewed({"image.yaml": image()}, None, {"web.yaml": deployment(image="web"), **FILES})
    assert [(each.before, each.builds) for each in new.images] == [("", True)]
    gone = await reviewed({"image.yaml": None, "web.yaml": deployment()}, RUNS)
    assert [(each.before, each.after, each.builds) for each in gone.images] == [(RUNS, "", False)]


@virtual
async def test_a_tag_that_leads_to_another_digest_moves() -> None:
    base = {"image.yaml": image(tag="v1"), "web.yaml": deployment(image="web")}
    review = await reviewed({"image.yaml": image(tag="v2")}, None, base)
    assert review.images == (ImageChange(WEB, f"r.example.com/web:v1{DIGEST}", f"r.example.com/web:v2{DIGEST}"),)
    assert [change.identity.name for change in review.effects.merged] == ["web"]
    assert f"web:v1{DIGEST} → r.example.com/web:v2{DIGEST}" in text.render(review)
