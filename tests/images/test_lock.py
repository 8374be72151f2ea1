"""The lock file: what it says, and that a change touches nothing else."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.errors import ImageRefused
from reconciler.images.lock import HEADER, Locked, changed, key_of, parse
from reconciler.images.reference import Repository
from reconciler.kube.names import Identity

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
FILE = f"""\
# Reviewed by Ada.

images:  # sorted
  # The cache.
  Image/shop/redis:
    repository: docker.io/library/redis   # from the hub
    tag: '7.2.4'
    digest: {A}

  # Ours.
  Image/shop/web:
    digest: "{B}"
    tag: 1.10
    repository: r.example.com/shop/web
# the end
"""
REDIS, WEB = "Image/shop/redis", "Image/shop/web"


def test_what_it_says() -> None:
    locks = parse(FILE.encode(), "images.lock.yaml")
    assert locks == {
        REDIS: Locked("docker.io/library/redis", "7.2.4", A),
        WEB: Locked("r.example.com/shop/web", "1.10", B),  # not the number 1.1
    }
    assert str(locks[WEB].reference) == f"r.example.com/shop/web:1.10@{B}"
    assert locks[WEB].fits(Repository.parse("r.example.com/shop/web"))
    assert not locks[WEB].fits(Repository.parse("r.example.com/shop/other"))
    assert key_of(Identity("reconciler.dev", "Image", "shop", "web")) == WEB


def test_a_change_touches_nothing_else() -> None:
    new = changed(
        FILE.encode(),
        {
            REDIS: Locked("docker.io/library/redis", "7.2.5", C),
            WEB: Locked("[::1]:5000/web", "2", B),
            "Image/shop/tools": Locked("r.example.com/tools", "", A),
        },
        "l",
    ).decode()
    assert (
        new
        == f"""\
# Reviewed by Ada.

images:  # sorted
  # The cache.
  Image/shop/redis:
    repository: docker.io/library/redis   # from the hub
    tag: '7.2.5'
    digest: {C}
  Image/shop/tools:
    repository: r.example.com/tools
    digest: {A}

  # Ours.
  Image/shop/web:
    digest: "{B}"
    tag: "2"
    repository: "[::1]:5000/web"
# the end
"""
    )


def test_an_entry_goes_and_its_neighbours_stay() -> None:
    new = changed(FILE.encode(), {REDIS: None}, "l").decode()
    kept = [line for line in FILE.splitlines() if "redis" not in line and "7.2.4" not in line and A not in line]
    assert new.splitlines() == kept
    assert changed(FILE.encode(), {"Image/shop/none": None}, "l") == FILE.encode()


@pytest.mark.parametrize(
    "start", ["", "images:\n", "images: {}\n", "images: # none yet\n", "images: null\n", "# only this\n", "images:"]
)
def test_the_first_entry(start: str) -> None:
    new = changed(start.encode(), {WEB: Locked("r.io/web", "1", A)}, "l").decode()
    assert parse(new.encode(), "l") == {WEB: Locked("r.io/web", "1", A)}
    assert all(line in new for line in start.splitlines() if line.startswith("#"))
    if not start:
        assert new == f'{HEADER}images:\n  {WEB}:\n    repository: r.io/web\n    tag: "1"\n    digest: {A}\n'


def test_other_ways_to_write_it() -> None:
    flow = f'images: {{"{WEB}": {{repository: r.io/web, tag: "1", digest: "{A}"}}}} # one line\r\n'
    new = changed(flow.encode(), {WEB: Locked("r.io/web", "2", B), REDIS: Locked("r.io/redis", "7", C)}, "l").decode()
    assert set(parse(new.encode(), "l")) == {WEB, REDIS}
    assert new.endswith("# one line\r\n")
    windows = FILE.replace("\n", "\r\n").encode()
    assert changed(windows, {WEB: None}, "l").count(b"\n") == changed(windows, {WEB: None}, "l").count(b"\r\n")
    marked = b"\xef\xbb\xbf" + FILE.encode()
    assert changed(marked, {REDIS: Locked("docker.io/library/redis", "7.2.5", A)}, "l").startswith(b"\xef\xbb\xbf#")
    unended = FILE.removesuffix("\n# the end\n")
    assert parse(changed(unended.encode(), {"Image/z/z": Locked("r.io/z", "1", A)}, "l"), "l")["Image/z/z"].tag == "1"
    bare = f"images:\n  {WEB}:\n    digest: {A}\n    repository: r.io/web\n"
    assert changed(bare.encode(), {WEB: Locked("r.io/web", "1", A)}, "l").decode() == bare + '    tag: "1"\n'


def test_an_unsorted_file_keeps_its_order() -> None:
    text = FILE.replace("shop/redis", "shop/zoo")
    new = changed(text.encode(), {"Image/shop/aaa": Locked("r.io/aaa", "1", A)}, "l").decode()
    assert list(parse(new.encode(), "l")) == ["Image/shop/zoo", WEB, "Image/shop/aaa"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("images: [", "l:2: the file is not YAML"),
        ("images:\n  Image/a/b: {digest: x}\n", "l:2: the repository of Image/a/b"),
        (f"images:\n  Image/a/b: {{repository: r.io/x, digest: '{A}', tag: a b}}\n", "l:2: the tag or digest"),
        ("images:\n  Image/a/b: {repository: r.io/x, digest: 'sha256:1'}\n", "l:2: the tag or digest"),
        ("images:\n  web: {}\n", "l:2: 'web' is not a key"),
        (f"images:\n  Image/a/b: {{repository: r.io/x, digest: '{A}', note: x}}\n", "l:2: 'note' is not a field"),
        ("images: []\n", "l:1: images is not a mapping"),
        ("a: 1\n", "l:1: only images"),
        ("images:\nimages:\n", "l:2: only images"),
        ("- a\n", "l:1: images is not a mapping"),
        ("images:\n  Image/a/b: 1\n", "l:2: the entry of Image/a/b is not a mapping"),
        ("images:\n  Image/a/b: &x {}\n  Image/a/c: *x\n", "l: the file holds an alias"),
        ("a: 1\n---\nb: 1\n", "l:2: the file is not YAML"),
        ("<<<<<<< HEAD\nimages:\n=======\n", "the file is not YAML"),
        ("images:\n  ? [a]\n  : 1\n", "l:2: this is not a plain value"),
        ("images: \x01\n", "the file is not YAML"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ImageRefused) as caught:
        parse(text.encode(), "l")
    assert said in str(caught.value)


def test_a_key_that_is_there_twice() -> None:
    entry = f"  {WEB}: {{repository: r.io/web, digest: '{A}'}}\n"
    with pytest.raises(ImageRefused, match=r"l:3: Image/shop/web is there twice"):
        parse(f"images:\n{entry}{entry}".encode(), "l")


def test_what_cannot_be_changed_in_place_is_refused() -> None:
    flow = f"images: {{{WEB}: {{repository: r.io/web, digest: '{A}'}}}}\n"
    with pytest.raises(ImageRefused, match="cannot be changed in place"):
        changed(flow.encode(), {WEB: None}, "l")


KEYS = st.builds("Image/{}/{}".format, st.sampled_from(["a", "shop"]), st.sampled_from(["web", "redis", "x-1", "b"]))
LOCKED = st.builds(
    Locked,
    st.sampled_from(["r.io/web", "docker.io/library/redis", "[::1]:5000/x", "localhost/x"]),
    st.sampled_from(["", "1", "7.2", "true", "1e3", "0x1", "null", "v1.0.0", "_x", "2026-01-01", "1_0", "~x"[1:]]),
    st.sampled_from([A, B, C]),
)
COMMENTS = st.lists(st.sampled_from(["", "# why", "    # deep", "  # é: {", "#"]), max_size=2)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file as people might have written it, with comments everywhere."""
    lines = [*draw(COMMENTS), draw(st.sampled_from(["images:", "images:   # all"]))]
    for key, locked in draw(st.dictionaries(KEYS, LOCKED, min_size=1)).items():
        lines += draw(COMMENTS)
        quote = draw(st.sampled_from(["'", '"']))
        fields = {"repository": locked.repository, "tag": locked.tag, "digest": locked.digest}
        stated = [(name, f"{quote}{value}{quote}") for name, value in fields.items() if value]
        stated = draw(st.permutations(stated))
        if draw(st.booleans()):
            lines.append(f"  {key}: {{{', '.join(f'{name}: {value}' for name, value in stated)}}}")
            continue
        lines.append(f"  {key}:")
        for name, value in stated:
            lines += [f"     {name}: {value}{draw(st.sampled_from(['', '  # x']))}", *draw(COMMENTS)]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


def comments(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip().startswith("#")]


@given(files(), st.dictionaries(KEYS, st.none() | LOCKED, max_size=4))
def test_whatever_is_changed_comments_and_the_rest_survive(text: str, changes: dict[str, Locked | None]) -> None:
    before = parse(text.encode(), "l")
    new = changed(text.encode(), changes, "l").decode()
    after = parse(new.encode(), "l")
    expected = {**before, **{key: value for key, value in changes.items() if value}}
    assert after == {key: value for key, value in expected.items() if changes.get(key, value) is not None}
    kept = [key for key in before if key in after]
    assert [key for key in after if key in before] == kept
    if None not in changes.values():
        assert comments(new) == comments(text)
    assume(changes)
    assert changed(new.encode(), changes, "l").decode() == new


def test_a_last_line_without_an_end_gets_a_field_and_then_an_entry() -> None:
    text = f"images:\n  Image/a/x:\n    repository: r.io/x\n    digest: {A}"
    new = {"Image/a/x": Locked("r.io/x", "1", A), "Image/b/y": Locked("r.io/y", "", B)}
    assert parse(changed(text.encode(), new, "l"), "l") == new


def test_many_at_once() -> None:
    locks = {f"Image/shop/i{n:04}": Locked("r.io/x", str(n), A) for n in range(500)}
    text = changed(b"", locks, "l")
    moved = {key: Locked("r.io/x", one.tag, B) for key, one in locks.items()}
    assert parse(changed(text, moved, "l"), "l") == moved
