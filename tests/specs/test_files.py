"""`files:` of workloads."""

import pytest

from reconciler.model.snapshot import Skipped, SkipReason
from reconciler.specs.limits import Limits

TASK = "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: a}\nspec: {image: 'a:1', files: {%s}}\n"


def mounted(specs) -> dict[str, bytes]:
    (document,) = specs.documents.values()
    return {f"{file.mount}/{file.name}": file.content for file in document.files}


def test_a_folder_and_a_file(load) -> None:
    files = {
        "apps/a.yaml": TASK % "/etc/web: ./config, /etc/one.conf: ../shared/one.txt",
        "apps/config/b.conf": "b",
        "apps/config/a.conf": "a",
        "apps/config/below/c.conf": "c",
        "shared/one.txt": "one",
    }
    specs = load(files, ["apps"])
    assert mounted(specs) == {"/etc/one.conf": b"one", "/etc/web/a.conf": b"a", "/etc/web/b.conf": b"b"}
    assert not specs.problems


def test_the_root_of_the_container(load) -> None:
    assert mounted(load({"a.yaml": TASK % "/one: one.txt", "one.txt": "1"})) == {"//one": b"1"}


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("/etc/passwd", '"/etc/passwd" is not relative'),
        ("../x", '"../x" leads out of the repository'),
        ("a/../../x", '"a/../../x" leads out of the repository'),
        ("nowhere", 'there is no file "nowhere" in this revision'),
        ("link", "link is not read: symlink"),
        ("deep", 'there is no file "deep" in this revision'),
    ],
)
def test_paths_that_lead_nowhere(load, repository, stated: str, message: str) -> None:
    found = repository({"a.yaml": TASK % f"/x: {stated}", "deep/er/file": ""})
    found.skipped = (Skipped("link", SkipReason.SYMLINK),)
    specs = load(found)
    (problem,) = specs.problems
    assert str(problem) == f"a.yaml:4:34: Task/a spec.files[/x]: {message}"
    assert not specs.documents


def test_what_is_too_large_for_a_config_map(load, errors) -> None:
    files = {"a.yaml": TASK % "/x: big, /y: more", "big": "x" * 600, "more": "y" * 500}
    assert errors(load(files, limits=Limits(mounted_bytes=1000))) == ["files-too-large"]
    assert not load(files, limits=Limits(mounted_bytes=1100)).problems


def test_a_mounted_file_need_not_be_a_spec(load) -> None:
    files = {
        "a.yaml": TASK % "/etc/web: config",
        "config/app.yaml": "debug: true",
        "config/template.yaml": "{{ x }}: y: z",
    }
    specs = load(files)
    assert not specs.problems
    assert not specs.unknown
    assert len(mounted(specs)) == 2


def test_paths_of_an_overlay_are_relative_to_the_overlay(load) -> None:
    overlay = TASK.replace("image: 'a:1', ", "") % "/y: y.txt"
    files = {
        "base/a.yaml": TASK % "/x: x.txt, /y: y.txt",
        "base/x.txt": "base",
        "base/y.txt": "base",
        "prod/a.yaml": overlay,
        "prod/y.txt": "prod",
    }
    assert mounted(load(files, ["base", "prod"])) == {"//x": b"base", "//y": b"prod"}


def test_contents_count_for_the_digest(load) -> None:
    def digest(content: str) -> str:
        return next(iter(load({"a.yaml": TASK % "/x: x", "x": content}).documents.values())).digest

    assert digest("1") == digest("1") != digest("2")


def test_every_file_that_is_missing_is_named(load) -> None:
    assert len(load(TASK % "/x: x, /y: y, /z: z").problems) == 3
