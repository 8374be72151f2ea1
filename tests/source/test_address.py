"""What is refused before Git sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import SourceRefused
from reconciler.source.address import Scheme, check_ref, check_revision, is_commit, normal_path, parse_url


@pytest.mark.parametrize(
    ("url", "scheme", "origin"),
    [
        ("https://git.example.com/shop.git", Scheme.HTTPS, "https://git.example.com"),
        ("https://git.example.com:8443/a/b", Scheme.HTTPS, "https://git.example.com:8443"),
        ("http://127.0.0.1:8080/shop.git", Scheme.HTTP, "http://127.0.0.1:8080"),
        ("http://[::1]:8080/shop.git", Scheme.HTTP, "http://[::1]:8080"),
        ("http://localhost/shop.git", Scheme.HTTP, "http://localhost"),
        ("ssh://git@git.example.com/shop.git", Scheme.SSH, ""),
        ("ssh://git.example.com:2222/shop.git", Scheme.SSH, ""),
        ("git@git.example.com:team/shop.git", Scheme.SSH, ""),
        ("/srv/git/shop.git", Scheme.FILE, ""),
        ("/srv/with space/shop", Scheme.FILE, ""),
        ("file:///srv/git/shop.git", Scheme.FILE, ""),
    ],
)
def test_allowed_urls(url: str, scheme: Scheme, origin: str) -> None:
    address = parse_url(url)
    assert (address.url, address.scheme, address.origin) == (url, scheme, origin)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "fd::17",
        "transport::/srv/x",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "git://git.example.com/shop.git",
        "ftp://git.example.com/shop.git",
        "HTTPS://git.example.com/x\n",
        "https://git.example.com/a\nb",
        "https://git.example.com/a%0ab",
        "https://git.example.com/a b",
        "http://git.example.com/shop.git",
        "http://127.0.0.1.example.com/shop.git",
        "http://10.0.0.1/shop.git",
        "https:///shop.git",
        "https://-host/shop.git",
        "https://host:port/shop.git",
        "https://git.example.com/shop.git?token=x",
        "https://git.example.com/shop.git#x",
        "ssh://-oProxyCommand=x/shop.git",
        "ssh://git@-oProxyCommand=x/shop.git",
        "ssh://git:hunter2@git.example.com/shop.git",
        "ssh://-x@git.example.com/shop.git",
        "ssh://git@git.example.com/-x",
        "ssh://git@git.example.com",
        "git@-oProxyCommand=x:shop",
        "-x@host:shop",
        "git@host:-x",
        "host:shop",
        "file://host/shop.git",
        "file://shop.git",
        "shop.git",
        "./shop.git",
        "../shop.git",
        "~/shop.git",
    ],
)
def test_refused_urls(url: str) -> None:
    with pytest.raises(SourceRefused):
        parse_url(url)


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@git.example.com/x", "https://hunter2@git.example.com/x", "https://h/x?t=hunter2"]
)
def test_credentials_in_a_url_are_refused_with_a_hint_and_not_repeated(url: str) -> None:
    with pytest.raises(SourceRefused) as refused:
        parse_url(url, "source shop")
    shown = "\n".join(refused.value.diagnostics())
    assert "credentials.passwordFile" in shown
    assert "source shop" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("ref", ["main", "release/1.2", "v1.2.0", "refs/pull/7/head", "HEAD", "ünïcode", "a.b-c_d+e"])
def test_allowed_refs(ref: str) -> None:
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    ["", "-x", "--upload-pack=x", "a b", "a\nb", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "@{u}", "@",
     "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "+a", "x" * 256],
)  # fmt: skip
def test_refused_refs(ref: str) -> None:
    if ref == "+a":
        assert check_ref(ref), "Git allows it as a name, and a refspec's + stands before refs/"
    else:
        with pytest.raises(SourceRefused):
            check_ref(ref)


@pytest.mark.parametrize("rev", ["main", "HEAD~3", "v1.2.0^2", "0123abc", "a" * 40])
def test_allowed_revisions(rev: str) -> None:
    assert check_revision(rev) == rev


@pytest.mark.parametrize("rev", ["", "-x", "--all", "^main", "a..b", ":/text", "main:path", "@{1}", "a b", "HEAD\n"])
def test_refused_revisions(rev: str) -> None:
    with pytest.raises(SourceRefused):
        check_revision(rev)


def test_a_commit_has_40_lower_case_digits() -> None:
    assert is_commit("0123456789abcdef0123456789abcdef01234567")
    assert not is_commit("0123456789ABCDEF0123456789abcdef01234567")
    assert not is_commit("0123456")


@pytest.mark.parametrize(
    ("path", "normal"),
    [(".", "."), ("./", "."), ("base", "base"), ("base/", "base"), ("./env//prod", "env/prod"), ("..a/b..", "..a/b..")],
)
def test_paths_are_normalised(path: str, normal: str) -> None:
    assert normal_path(path) == normal


@pytest.mark.parametrize("path", ["", "/", "/etc", "..", "a/../b", "../x", "a/..", "a\\b", "a\nb", "a\x00"])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(SourceRefused):
        normal_path(path)


@given(st.text(max_size=60))
def test_nothing_that_is_accepted_could_be_an_option_or_a_program(text: str) -> None:
    for check in (parse_url, check_ref, check_revision):
        try:
            check(text)
        except SourceRefused:
            continue
        assert not text.startswith("-")
        assert "::" not in text.split("/")[0]
        assert "\n" not in text
        assert "\0" not in text


@given(st.text(alphabet="ab./\\-\n", max_size=20))
def test_a_normal_path_stays_inside_and_is_stable(path: str) -> None:
    try:
        normal = normal_path(path)
    except SourceRefused:
        return
    assert not normal.startswith("/")
    assert ".." not in normal.split("/")
    assert normal_path(normal) == normal
