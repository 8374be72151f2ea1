"""Strict YAML and JSON: what is accepted, what is refused, and where."""

import pytest

from reconciler.specs.limits import Limits
from reconciler.specs.place import Mark
from reconciler.specs.read import Read, decode, places, read

LIMITS = Limits()


def yaml(text: str, limits: Limits = LIMITS) -> Read:
    return read(text, limits, json=False)


def value(text: str) -> object:
    found = yaml(text)
    assert found.fault is None, found.fault
    assert len(found.docs) == 1
    assert not found.docs[0].faults
    return found.docs[0].value


def test_what_manifests_hold() -> None:
    assert value("a: =\nb: [1, two, 3.5, true, null]\nc: {}\n") == {"a": "=", "b": [1, "two", 3.5, True, None], "c": {}}


def test_dates_are_texts() -> None:
    assert value("a: 2026-01-01\nb: 2026-01-01T10:00:00Z") == {"a": "2026-01-01", "b": "2026-01-01T10:00:00Z"}


def test_base_60_numbers_are_texts() -> None:
    assert value("a: 12:30:00\nb: 22:22") == {"a": "12:30:00", "b": "22:22"}


def test_keys_are_what_was_written() -> None:
    assert value("1: a\non: b\n0x10: c\n1.0: d\n? true\n: e") == {
        "1": "a",
        "on": "b",
        "0x10": "c",
        "1.0": "d",
        "true": "e",
    }


def test_octal_numbers_are_numbers() -> None:
    assert value("old: 0644\nnew: 0o644\nnot: 09") == {"old": 420, "new": 420, "not": "09"}


def test_an_anchor_may_be_defined_again() -> None:
    assert value("a: &x 1\nb: *x\nc: &x 2\nd: *x") == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_merge_keys() -> None:
    text = "base: &b {x: 1, y: 1}\nmore: &m {y: 2, z: 2}\nboth:\n  <<: [*b, *m]\n  x: 0\n"
    assert value(text)["both"] == {"x": 0, "y": 1, "z": 2}  # type: ignore[index]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n---\n# nothing\n---\n", "\ufeff"])
def test_empty_documents_are_no_documents(text: str) -> None:
    assert yaml(text.removeprefix("\ufeff")) == Read(())


def test_windows_line_ends_and_byte_order_mark() -> None:
    text = decode(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n---\r\nc: 3\r\n", LIMITS)
    assert isinstance(text, str)
    assert [(doc.value, doc.line) for doc in yaml(text).docs] == [({"a": 1, "b": 2}, 1), ({"c": 3}, 4)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff", "the file is not UTF-8"),
        (b"\xff\xfea\x00", "the file is UTF-16"),
        (b"x" * 11, "the file has 11 bytes, more than 10"),
    ],
)
def test_texts_that_cannot_be_decoded(content: bytes, message: str) -> None:
    found = decode(content, Limits(file_bytes=10))
    assert not isinstance(found, str)
    assert found.message == message


def test_duplicate_keys_name_both_places() -> None:
    (doc,) = yaml("a:\n  b: 1\n  c: 2\n  b: 3\n").docs
    (fault,) = doc.faults
    assert (fault.code, fault.mark, fault.also) == ("duplicate-key", Mark(4, 3), Mark(2, 3))
    assert fault.message == 'the key "b" is stated twice'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: !Ref x", "custom-tag"),
        ("a: !!python/object:os.system x", "custom-tag"),
        ("a: !!binary aGk=", "custom-tag"),
        ("~: x", "bad-key"),
        ("? [a]\n: x", "bad-key"),
        ("{{ name }}: x", "bad-key"),
        ("<<: text", "bad-key"),
        ("a: .nan", "not-json"),
        ("a: -.inf", "not-json"),
    ],
)
def test_faults_of_one_document(text: str, code: str) -> None:
    found = yaml(f"ok: 1\n---\n{text}\n---\nok: 2\n")
    assert found.fault is None
    assert [doc.value for doc in found.docs if not doc.faults] == [{"ok": 1}, {"ok": 2}]
    assert {fault.code for doc in found.docs for fault in doc.faults} == {code}


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a: b: c", Mark(1, 5)),
        ("a:\n\t- b", Mark(2, 1)),
        ("a: [1, 2", Mark(2, 1)),
        ("a: \x07", Mark(1, 4)),
        ("a: *nowhere", Mark(1, 4)),
        ("a: &x [*x]", Mark(1, 8)),
        ("%YAML 3.0\n---\na", Mark(1, 1)),
        ("a: @x", Mark(1, 4)),
    ],
)
def test_syntax_errors_have_a_place(text: str, mark: Mark) -> None:
    found = yaml("first: 1\n---\n" + text if not text.startswith("%") else text)
    assert found.fault is not None
    assert found.fault.code == "syntax"
    assert (found.fault.mark.line - (0 if text.startswith("%") else 2), found.fault.mark.column) == mark


def test_documents_before_a_syntax_error_are_read() -> None:
    found = yaml("a: 1\n---\nb: 2\n---\nc: d: e\n---\nf: 1")
    assert [doc.value for doc in found.docs] == [{"a": 1}, {"b": 2}]
    assert found.fault is not None


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
DEEP = "x0: &x0 [1]\n" + "".join(f"x{n}: &x{n} {'[' * 40}*x{n - 1}{']' * 40}\n" for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BOMB, "too-many-values"),
        ("a: &t " + "x" * 50_000 + "\nb: [" + "*t, " * 600 + "]", "too-many-values"),
        (DEEP, "too-deep"),
        ("[" * 10_000, "too-deep"),
        ("{a: " * 10_000, "too-deep"),
        ("- " * 10_000, "too-deep"),
        ("a: &a 1\nb: [" + "*a, " * 1_001 + "]", "too-many-aliases"),
        ("--- {}\n" * 5_001, "too-many-documents"),
    ],
)
def test_bombs(text: str, code: str) -> None:
    found = yaml(text)
    assert found.fault is not None
    assert found.fault.code == code


def test_json() -> None:
    found = read('{"a": [1, 2.5, "\\ud83d\\ude00", null, {}], "b": "x\\ny"}', LIMITS, json=True)
    assert found.docs[0].value == {"a": [1, 2.5, "\U0001f600", None, {}], "b": "x\ny"}


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("{", Mark(1, 2)),
        ('{"a": }', Mark(1, 7)),
        ('{"a": 1,}', Mark(1, 9)),
        ('{\n  "a" 1}', Mark(2, 7)),
        ("[1 2]", Mark(1, 4)),
        ("NaN", Mark(1, 1)),
        ('["\\ud800"]', Mark(1, 2)),
        ("{a: 1}", Mark(1, 2)),
        ("[01]", Mark(1, 2)),
        ("]", Mark(1, 1)),
    ],
)
def test_what_is_not_json(text: str, mark: Mark) -> None:
    found = read(text, LIMITS, json=True)
    assert found.fault is not None
    assert found.fault.mark == mark


def test_json_duplicate_keys_and_depth() -> None:
    (doc,) = read('{"a": 1,\n "a": 2}', LIMITS, json=True).docs
    assert [(fault.code, fault.mark) for fault in doc.faults] == [("duplicate-key", Mark(2, 2))]
    deep = read("[" * 10_000, LIMITS, json=True)
    assert deep.fault is not None
    assert deep.fault.code == "too-deep"


def test_rule_7_the_hash_of_a_document_covers_its_own_text_only() -> None:
    first = yaml("# a comment\na: 1\n---\nb: 2\n").docs
    second = yaml("a: 1\n---\n\n\n# moved\nb: 2 # more\n").docs
    assert [doc.text_hash for doc in first] == [doc.text_hash for doc in second]
    assert yaml("a: 2").docs[0].text_hash != first[0].text_hash


def test_places_of_keys_and_values() -> None:
    (found,) = places("a:\n  - b: no\n    c:\n      d: x\n", LIMITS, json=False)
    assert found["a", 0, "b"].key == Mark(2, 5)
    assert found["a", 0, "b"].value == Mark(2, 8)
    assert found["a", 0, "b"].plain == "no"
    assert found["a", 0, "c", "d"].value == Mark(4, 10)
