import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.reference import ImageReference, ObjectReference, references

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web", ("", "web", "", "")),
        ("web:1.4", ("", "web", "1.4", "")),
        ("shop/web", ("", "shop/web", "", "")),
        ("r.example.com/web", ("r.example.com", "web", "", "")),
        ("r.example.com:5000/shop/web:1_x.Y-z", ("r.example.com:5000", "shop/web", "1_x.Y-z", "")),
        ("localhost/web", ("localhost", "web", "", "")),
        ("r:5000/web", ("r:5000", "web", "", "")),
        ("[::1]:5000/web", ("[::1]:5000", "web", "", "")),
        (f"a.b/c/d__e--f.g@{DIGEST}", ("a.b", "c/d__e--f.g", "", DIGEST)),
        (f"web:1@{DIGEST}", ("", "web", "1", DIGEST)),
    ],
)
def test_the_parts_of_an_image_reference(text: str, parts: tuple[str, ...]) -> None:
    reference = ImageReference.parse(text)
    assert tuple(reference) == parts
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("a b", "it contains white space"),
        ("web\n", "it contains white space"),
        ("https://r.example.com/web", "it must not begin with a scheme"),
        ("Shop/Web", "a repository has no capital letters"),
        ("web:", "it is not of the form"),
        ("/web", "it is not of the form"),
        ("a___b", "it is not of the form"),
        ("web@latest", '"latest" is not a digest'),
        ("web@sha256:" + "0" * 62, "a sha256 digest has 64 hexadecimal digits, not 62"),
        ("a" * 256, "the name is longer than 255 characters"),
        ("a" * 100_000, "it is longer than"),
        ("web:" + "a" * 129, "it is not of the form"),
        ("é", "it is not of the form"),
    ],
)
def test_what_is_no_image_reference(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageReference.parse(text)


@given(st.text("abAB09._-/:@ []", max_size=40))
def test_an_image_reference_is_what_was_written(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except ValueError:
        return
    assert str(reference) == text
    assert reference.bare is not any(mark in text for mark in "/:@")


def test_object_references() -> None:
    assert ObjectReference.parse("Task/migrate") == ("", "Task", "", "migrate")
    assert ObjectReference.parse("Widget.example.com/shop/w") == ("example.com", "Widget", "shop", "w")
    found = ObjectReference.parse("Task/migrate").candidates("shop", ("reconciler.dev", "other"))
    assert found[0] == Identity("reconciler.dev", "Task", "shop", "migrate")
    assert Identity("other", "Task", "", "migrate") in found


@pytest.mark.parametrize("text", ["", "Task", "Task/", "/a", "a/b/c/d", "Task//a"])
def test_what_is_no_object_reference(text: str) -> None:
    with pytest.raises(ValueError, match="Kind/name"):
        ObjectReference.parse(text)


def test_a_list_of_references() -> None:
    assert references("Task/a, Task/b\n Task/c,,") == ["Task/a", "Task/b", "Task/c"]
