"""What forges send: believed by their signature, read by their published fields, each once."""

import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from amount import MORE
from hooked import NEW, OLD, SECRET, comment, delivery, pull, push, signed, status
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.errors import WebhookRefused
from reconciler.forge.deliveries import MOST, WINDOW, Deliveries, Freshness
from reconciler.forge.webhooks import LARGEST, Delivery, PlanAsked, PullChanged, Push, StatusSet, read, verify
from reconciler.model.forging import ForgeKind

KINDS = pytest.mark.parametrize("kind", list(ForgeKind))
SIGNED = [kind for kind in ForgeKind if kind is not ForgeKind.GITLAB]


@KINDS
def test_a_push(kind: ForgeKind) -> None:
    headers, body = delivery(kind, "push", push(kind), "d-42")
    verify(kind, headers, body, SECRET)
    found = read(kind, headers, body)
    assert found.id == "d-42"
    assert isinstance(found.event, Push)
    assert (found.event.ref, found.event.before, found.event.after) == ("refs/heads/main", OLD, NEW)
    assert "https://forge.example.com/shop/specs.git" in found.event.addresses
    assert "git@forge.example.com:shop/specs.git" in found.event.addresses


@KINDS
@pytest.mark.parametrize("action", ["opened", "synchronize", "synchronized", "reopened", "closed", "edited"])
def test_a_pull_request(kind: ForgeKind, action: str) -> None:
    headers, body = delivery(kind, "pull", pull(kind, 12, action=action, at="2026-01-02T03:04:05Z"))
    found = read(kind, headers, body)
    assert isinstance(found.event, PullChanged)
    assert found.event.number == 12
    assert found.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ForgeKind.GITHUB, "pull_request_review"),
        (ForgeKind.GITEA, "pull_request_approved"),
        (ForgeKind.GITEA, "pull_request_comment"),  # a review without a verdict
        (ForgeKind.FORGEJO, "pull_request_rejected"),
    ],
)
def test_reviews_and_other_names_of_the_same(kind: ForgeKind, name: str) -> None:
    found = read(kind, {f"x-{kind}-event": name}, json.dumps(pull(kind)).encode())
    assert isinstance(found.event, PullChanged)


@pytest.mark.parametrize("kind", SIGNED)
def test_a_status(kind: ForgeKind) -> None:
    found = read(kind, *delivery(kind, "status", status("reconciler/prod/main", login="eve")))
    assert isinstance(found.event, StatusSet)
    assert (found.event.commit, found.event.context, found.event.login) == (NEW, "reconciler/prod/main", "eve")
    nobody = {**status("x", login=""), "sender": None}
    assert isinstance(event := read(kind, *delivery(kind, "status", nobody)).event, StatusSet)
    assert event.login == ""


@KINDS
def test_a_command(kind: ForgeKind) -> None:
    for text in ("/plan", "  /plan  \nplease", "\n/plan\r\n"):
        headers, body = delivery(kind, "comment", comment(kind, text))
        found = read(kind, headers, body).event
        assert isinstance(found, PlanAsked)
        assert (found.number, found.login) == (7, "ada")
    for text in ("please /plan", "> /plan", "/planet", "/plan it", "", "x\n/plan"):
        headers, body = delivery(kind, "comment", comment(kind, text))
        assert read(kind, headers, body).event is None


@pytest.mark.parametrize("kind", SIGNED)
def test_comments_that_are_no_command_to_us(kind: ForgeKind) -> None:
    edited = {**comment(kind), "action": "edited"}
    issue = {**comment(kind), "issue": {"number": 7}, "is_pull": False}
    null = {**comment(kind), "issue": {"number": 7, "pull_request": None}, "is_pull": False}
    nobody = {**comment(kind), "comment": {"body": "/plan", "user": None}}
    for body in (edited, issue, null, nobody):
        assert read(kind, *delivery(kind, "comment", body)).event is None


def test_notes_of_gitlab_that_are_no_command_to_us() -> None:
    kind = ForgeKind.GITLAB
    whole = comment(kind)
    of_issue = {name: value for name, value in whole.items() if name != "merge_request"}
    system = {**whole, "object_attributes": {"note": "/plan", "noteable_type": "MergeRequest", "system": True}}
    edited = {**whole, "object_attributes": {"note": "/plan", "noteable_type": "MergeRequest", "action": "update"}}
    for body in (of_issue, system, edited):
        assert read(kind, *delivery(kind, "comment", body)).event is None


@KINDS
def test_anything_else_is_nothing_to_us(kind: ForgeKind) -> None:
    for name in ("ping", "star", "", "Job Hook", "push ", "PUSH"):
        header = "x-gitlab-event" if kind is ForgeKind.GITLAB else f"x-{kind}-event"
        assert read(kind, {header: name}, b"not even JSON").event is None
    assert read(kind, {}, b"") == Delivery("", None)


# -- who says it ------------------------------------------------------------------------------------------------------


@KINDS
def test_only_who_knows_the_secret_is_believed(kind: ForgeKind) -> None:
    headers, body = delivery(kind, "push", push(kind))
    verify(kind, headers, body, SECRET)
    proofs = [name for name in headers if "signature" in name or "token" in name]
    for wrong in ("", "x", "sha256=", "0" * 64, "sha256=" + "0" * 64, "é" * 32, "\udcff", SECRET[:-1], SECRET + " "):
        with pytest.raises(WebhookRefused):
            verify(kind, {**headers, **dict.fromkeys(proofs, wrong)}, body, SECRET)
    with pytest.raises(WebhookRefused):
        verify(kind, {name: value for name, value in headers.items() if name not in proofs}, body, SECRET)
    with pytest.raises(WebhookRefused):
        verify(kind, headers, body, "another-secret-of-some-length")
    with pytest.raises(WebhookRefused, match="characters"):
        verify(kind, headers, body, "short")


@pytest.mark.parametrize("kind", SIGNED)
def test_not_a_byte_may_be_changed(kind: ForgeKind) -> None:
    headers, body = delivery(kind, "push", push(kind))
    for at in range(0, len(body), 7):
        with pytest.raises(WebhookRefused):
            verify(kind, headers, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :], SECRET)


def test_a_bad_signature_of_forgejo_is_not_made_good_by_giteas() -> None:
    headers, body = delivery(ForgeKind.FORGEJO, "push", push(ForgeKind.FORGEJO))
    with pytest.raises(WebhookRefused):
        verify(ForgeKind.FORGEJO, {**headers, "x-forgejo-signature": "0" * 64}, body, SECRET)
    del headers["x-forgejo-signature"]  # of a Forgejo that was a Gitea
    verify(ForgeKind.FORGEJO, headers, body, SECRET)


def test_a_refusal_repeats_neither_secret_nor_signature() -> None:
    headers, body = delivery(ForgeKind.GITHUB, "push", push(ForgeKind.GITHUB))
    with pytest.raises(WebhookRefused) as caught:
        verify(ForgeKind.GITHUB, headers, body + b" ", SECRET)
    said = "\n".join(caught.value.diagnostics())
    assert SECRET not in said
    assert headers["x-hub-signature-256"][-20:] not in said


# -- what it may be ---------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("what", ["push", "pull", "comment"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"ref": "\\ud800"}',
        b"[" * 1_000_000,
        b'{"repository": ' * 100_000,
        b'{"object_attributes": {"x": ' + b"[" * 900_000,
        b"x" * (LARGEST + 1),
    ],
    ids=["none", "null", "list", "empty", "bytes", "surrogate", "deep", "deep-inside", "deep-unused", "large"],
)
def test_what_is_not_of_the_form_is_refused(kind: ForgeKind, what: str, body: bytes) -> None:
    headers, _ = delivery(kind, what, {})
    with pytest.raises(WebhookRefused):
        read(kind, headers, body)


@pytest.mark.parametrize(
    "change",
    [
        {"ref": "x" * 2000},
        {"ref": 5},
        {"ref": None},
        {"after": "HEAD"},
        {"after": "--upload-pack=x"},
        {"before": ""},
    ],
)
def test_fields_of_the_wrong_kind_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WebhookRefused):
        read(ForgeKind.GITHUB, *delivery(ForgeKind.GITHUB, "push", push(ForgeKind.GITHUB, **change)))


@pytest.mark.parametrize("number", [0, -1, 2**31 + 1, 10**400, 1.5, "7", True, None])
def test_numbers_that_are_none(number: Any) -> None:
    body = pull(ForgeKind.GITEA)
    body["pull_request"]["number"] = number
    with pytest.raises(WebhookRefused):
        read(ForgeKind.GITEA, *delivery(ForgeKind.GITEA, "pull", body))


@pytest.mark.parametrize("at", ["2026-01-02 03:04:05 UTC", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05.000Z"])
def test_times_as_forges_write_them(at: str) -> None:
    found = read(ForgeKind.GITLAB, *delivery(ForgeKind.GITLAB, "pull", pull(ForgeKind.GITLAB, at=at)))
    assert found.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("at", ["", "yesterday", "2026-01-02T03:04:05", "9" * 500])
def test_what_is_no_time_is_none(at: str) -> None:
    assert read(ForgeKind.GITHUB, *delivery(ForgeKind.GITHUB, "pull", pull(ForgeKind.GITHUB, at=at))).time is None


@pytest.mark.parametrize(("pushed", "known"), [(1767225600, True), (10**30, False), ("2026-01-01T00:00:00Z", False)])
def test_the_time_of_a_push_where_github_says_it(pushed: Any, known: bool) -> None:
    body = push(ForgeKind.GITHUB)
    body["repository"]["pushed_at"] = pushed
    found = read(ForgeKind.GITHUB, *delivery(ForgeKind.GITHUB, "push", body))
    assert (found.time == datetime(2026, 1, 1, tzinfo=UTC)) is known


# -- each once --------------------------------------------------------------------------------------------------------


def of(kind: ForgeKind, what: str, body: dict[str, Any], identifier: str) -> tuple[Delivery, bytes]:
    headers, content = delivery(kind, what, body, identifier)
    return read(kind, headers, content), content


@virtual
async def test_a_delivery_that_comes_again_is_known() -> None:
    seen = Deliveries(LoopClock())
    first = of(ForgeKind.GITHUB, "pull", pull(ForgeKind.GITHUB), "d-1")
    assert seen.take(*first) is Freshness.NEW
    assert seen.take(*first) is Freshness.SEEN
    renamed = of(ForgeKind.GITHUB, "pull", pull(ForgeKind.GITHUB), "d-2")
    assert seen.take(*renamed) is Freshness.SEEN  # its id is not signed; its body is the same
    other = of(ForgeKind.GITHUB, "pull", pull(ForgeKind.GITHUB, 8), "d-3")
    assert seen.take(*other) is Freshness.NEW


@virtual
async def test_a_branch_may_go_forth_and_back_and_forth() -> None:
    seen = Deliveries(LoopClock())
    for identifier in ("d-1", "d-2", "d-3"):
        assert seen.take(*of(ForgeKind.GITEA, "push", push(ForgeKind.GITEA), identifier)) is Freshness.NEW
    assert seen.take(*of(ForgeKind.GITEA, "push", push(ForgeKind.GITEA), "d-2")) is Freshness.SEEN


@virtual
async def test_an_old_event_is_not_acted_on() -> None:
    clock = LoopClock()
    seen = Deliveries(clock)
    for age, expected in ((WINDOW - 1, Freshness.NEW), (WINDOW + 1, Freshness.OLD), (-60, Freshness.NEW)):
        at = (clock.now() - timedelta(seconds=age)).isoformat()
        made = of(ForgeKind.GITHUB, "pull", pull(ForgeKind.GITHUB, at=at), f"d{age}")
        assert seen.take(*made) is expected


@virtual
async def test_memory_of_deliveries_is_bounded_and_ends() -> None:
    clock = LoopClock()
    seen = Deliveries(clock)
    for number in range(3 * MOST):
        seen.take(Delivery(f"d{number}", PullChanged((), 7)), str(number).encode())
    assert len(seen) <= MOST
    await clock.sleep(WINDOW + 1)
    seen.take(Delivery("last", None), b"")
    assert len(seen) == 2


# -- whatever comes ---------------------------------------------------------------------------------------------------

_PIECES = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"null",
    b"1e999",
    b"\\ud800",
    b"\xff",
    b",",
    b":",
    b"-0",
    b"\x00",
    b"9" * 40,
)


def test_fuzzed_deliveries_are_read_or_refused_and_nothing_else() -> None:
    """10,000 inputs; docs/testing.md has the command for 100,000 and more."""
    count, random = 10_000 * MORE, Random(20260101)
    seeds = [
        (kind, what, *delivery(kind, what, make(kind)))
        for kind in ForgeKind
        for what, make in (("push", push), ("pull", pull), ("comment", comment))
    ]
    outcomes = {"read": 0, "refused": 0, "stranger": 0}
    tracemalloc.start()
    try:
        for _ in range(count):
            kind, _what, headers, body = random.choice(seeds)
            changed = _mutated(random, body)
            brought = _jumbled(random, headers)
            known = random.random() < 0.8
            proof = signed(kind, brought, changed) if known else brought
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            try:
                verify(kind, proof, changed, SECRET)
            except WebhookRefused:
                assert not known
                outcomes["stranger"] += 1
            else:
                try:
                    found = read(kind, proof, changed)
                    assert isinstance(found, Delivery)
                    outcomes["read"] += 1
                except WebhookRefused:
                    outcomes["refused"] += 1
            assert tracemalloc.get_traced_memory()[1] - before < 3 * len(changed) + 64 * 1024
    finally:
        tracemalloc.stop()
    print(f"{count} inputs: {outcomes}")  # noqa: T201
    assert all(number > count / 50 for number in outcomes.values()), outcomes


def _mutated(random: Random, body: bytes) -> bytes:
    made = bytearray(body)
    for _ in range(random.randrange(6)):
        at = random.randrange(len(made) + 1)
        match random.randrange(6):
            case 0:
                made[at : at + 1] = random.randbytes(1)
            case 1:
                made[at:at] = random.choice(_PIECES) * random.choice((1, 1, 1, 2, 1000, 20_000))
            case 2:
                del made[at : at + random.randrange(1, 40)]
            case 3:
                end = random.randrange(len(made) + 1)
                made[at:at] = made[min(at, end) : max(at, end)][:2000]
            case 4:
                made = made[:at]
            case 5:
                made.extend(random.randbytes(random.randrange(60)))
    return bytes(made)


def _jumbled(random: Random, headers: dict[str, str]) -> dict[str, str]:
    made = dict(headers)
    if random.random() < 0.7:
        return made
    name = random.choice(list(made))
    made[name] = random.choice(("", "push", "Note Hook", "x" * 9000, "\udcff", "sha256=", "é", made[name].upper()))
    return made
