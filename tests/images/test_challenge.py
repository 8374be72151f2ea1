"""What registries ask for, read as the standard writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.images.challenge import Challenge, parse


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ('Basic realm="registry"', [("basic", {"realm": "registry"})]),
        (
            'Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.example.com/token",
                        "service": "registry.example.com",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ("BEARER Realm=here , Service = there", [("bearer", {"realm": "here", "service": "there"})]),
        ('Bearer realm="a\\"b"', [("bearer", {"realm": 'a"b'})]),
        ("Basic", [("basic", {})]),
        ('Bearer realm="a", Basic realm="b"', [("bearer", {"realm": "a"}), ("basic", {"realm": "b"})]),
        ('Bearer realm="a",realm="evil"', [("bearer", {"realm": "a"})]),
        ('Bearer realm="open', [("bearer", {})]),
        ("", []),
        ('="x"', []),
    ],
)
def test_challenges(header: str, challenges: list[Challenge]) -> None:
    assert [tuple(one) for one in parse(header)] == challenges


@given(st.text(alphabet='Basic bearer=",\\ \t', max_size=60))
def test_any_header_is_read_to_its_end_or_first_mistake(header: str) -> None:
    assert all(challenge.scheme == challenge.scheme.lower() for challenge in parse(header))
