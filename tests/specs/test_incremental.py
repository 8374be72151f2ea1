"""Cost follows the change: what did not change is not read, parsed or checked again."""

import asyncio

import pytest

from reconciler.errors import SourceError
from reconciler.kube.names import GroupKind
from reconciler.specs.load import Loader

OURS = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: d%d}\nspec: {image: web, replicas: %d}\n"
IMAGE = "apiVersion: reconciler.dev/v1\nkind: Image\nmetadata: {name: web}\nspec: {repository: a/b, tag: '1'}\n"


@pytest.fixture
def shop(repository):
    return repository({"image.yaml": IMAGE, **{f"apps/{n}.yaml": OURS % (n, 1) for n in range(500)}})


def test_a_commit_of_one_line_parses_one_blob(load, shop) -> None:
    loader = Loader()
    first = load(shop, loader=loader)
    assert first.parsed == 501
    shop.reads.clear()
    shop.files["apps/7.yaml"] = (OURS % (7, 2)).encode()
    second = load(shop, loader=loader)
    assert second.parsed == 1
    assert shop.reads == [shop.blob("apps/7.yaml")]
    changed = {i for i, document in second.documents.items() if document is not first.documents[i]}
    assert {identity.name for identity in changed} == {"d7"}


def test_nothing_new_reads_nothing(load, shop) -> None:
    loader = Loader()
    first = load(shop, loader=loader)
    shop.reads.clear()
    second = load(shop, loader=loader)
    assert (second.parsed, shop.reads) == (0, [])
    assert second.documents == first.documents


def test_a_renamed_file_is_not_parsed_again(load, shop) -> None:
    loader = Loader()
    load(shop, loader=loader)
    shop.files["moved.yaml"] = shop.files.pop("apps/7.yaml")
    specs = load(shop, loader=loader)
    assert specs.parsed == 0
    assert "moved.yaml" in {document.origin.path for document in specs.documents.values()}


def test_comparing_two_revisions_forgets_neither(load, repository) -> None:
    loader = Loader()
    base, head = repository({"a.yaml": OURS % (1, 1)}), repository({"a.yaml": OURS % (1, 2)})
    for revision in (base, head):
        assert load(revision, loader=loader).parsed == 1
    for revision in (base, head):
        load(revision, loader=loader)
    assert load(base, loader=loader).parsed == 0


def test_what_others_say_is_looked_up_again(load, shop) -> None:
    loader = Loader()
    assert not load(shop, loader=loader).problems
    shop.files["image.yaml"] = IMAGE.replace("tag: '1'", "tag: ''").encode()
    assert len(load(shop, loader=loader).quarantined) == 501
    shop.files["image.yaml"] = IMAGE.encode()
    assert not load(shop, loader=loader).problems


def test_a_problem_stays_until_it_is_repaired(load, repository) -> None:
    loader = Loader()
    found = repository(
        {"a.yaml": OURS % (1, 1) + "---\n" + OURS.replace("replicas", "replica") % (2, 1), "image.yaml": IMAGE}
    )
    first, second = load(found, loader=loader), load(found, loader=loader)
    assert first.problems == second.problems != ()
    assert first.quarantined == second.quarantined


def test_what_the_cluster_knows_counts_anew(load) -> None:
    loader = Loader()
    text = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n"
    assert [str(i) for i in load(text, loader=loader).documents] == ["Widget/default/w"]
    scopes = {GroupKind("example.com", "Widget"): False}
    assert [str(i) for i in load(text, loader=loader, scopes=scopes).documents] == ["Widget/w"]
    assert [str(i) for i in load(text, loader=loader, namespace="shop").documents] == ["Widget/shop/w"]


def test_a_mounted_file_that_changed_is_read_alone(load, repository) -> None:
    loader = Loader()
    task = "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: t}\nspec: {image: 'a:1', files: {/t: ./config}}"
    found = repository({"t.yaml": task, "config/a": "1", "config/b": "2"})
    load(found, loader=loader)
    found.reads.clear()
    found.files["config/b"] = b"3"
    specs = load(found, loader=loader)
    assert specs.parsed == 0
    assert found.reads == [found.blob("config/b")]
    (document,) = specs.documents.values()
    assert [file.content for file in document.files] == [b"1", b"3"]


def test_the_digest_is_about_the_document_alone(load) -> None:
    def digests(files: dict[str, str]) -> list[str]:
        return [document.digest for document in load(files).documents.values()]

    one = OURS % (1, 1)
    base = digests({"a.yaml": one})
    assert digests({"a.yaml": "# a comment above\n" + one}) == base
    assert digests({"a.yaml": one + "---\n" + OURS % (2, 1)})[:1] == base
    assert digests({"a.yaml": OURS % (1, 2)}) != base
    assert digests({"a.yaml": one.replace("{name", "{labels: {a: b}, name")}) != base


def test_two_loads_at_once_wait_for_each_other(repository) -> None:
    loader = Loader()
    base, head = repository({"a.yaml": OURS % (1, 1)}), repository({"a.yaml": OURS % (1, 2)})

    async def both() -> list[int | None]:
        loads = (loader.load(one.snapshot(), one, namespace="default") for one in (base, head))
        return [next(iter(specs.documents.values())).spec.replicas for specs in await asyncio.gather(*loads)]

    assert asyncio.run(both()) == [1, 2]


def test_a_blob_that_cannot_be_read_is_the_sources_error(repository) -> None:
    class Gone(repository):
        async def read(self, ids):
            raise SourceError("the repository is gone")

    found = Gone({"a.yaml": IMAGE})
    loader = Loader()
    with pytest.raises(SourceError, match="gone"):
        asyncio.run(loader.load(found.snapshot(), found, namespace="default"))
