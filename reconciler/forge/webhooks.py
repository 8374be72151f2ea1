"""What a forge says has happened: whether it is the forge that says it, and what it says.

`verify` looks at the bytes as they came, before anybody parses them; `read` parses what was verified. Both are pure.

    GitHub   X-Hub-Signature-256: sha256=<HMAC-SHA256 of the body, hexadecimal>
    Gitea    X-Gitea-Signature: <the same, without the prefix>         Forgejo: X-Forgejo-Signature, else Gitea's
    GitLab   X-Gitlab-Token: <the secret itself>

https://docs.github.com/webhooks/webhook-events-and-payloads · https://docs.gitlab.com/user/project/integrations/webhook_events/
https://docs.gitea.com/usage/webhooks · https://forgejo.org/docs/latest/user/webhooks/
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

import msgspec

from reconciler.errors import WebhookRefused
from reconciler.model.forging import ForgeKind

LARGEST: Final = 2 * 1024 * 1024  # bytes of a body; a push of 2,000 commits is larger and is found by the next poll
SHORTEST: Final = 16  # characters of a secret
COMMAND: Final = "/plan"

T = TypeVar("T")

_Name = Annotated[str, msgspec.Meta(max_length=1024)]
_Commit = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
_Number = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
_LONGEST_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Push:
    """A branch or tag moved. `ref` is whole, such as refs/heads/main; `after` is all zeros where it was deleted."""

    addresses: tuple[str, ...]
    ref: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PullChanged:
    """A pull request was opened, pushed to, given another base, approved, closed or merged: look at it again."""

    addresses: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class PlanAsked:
    """Somebody wrote `/plan` under a pull request. Whether he may ask is another question."""

    addresses: tuple[str, ...]
    number: int
    login: str


@dataclass(frozen=True, slots=True)
class StatusSet:
    """Somebody has set a commit's status."""

    addresses: tuple[str, ...]
    commit: str
    context: str
    login: str


Event = Push | PullChanged | PlanAsked | StatusSet


@dataclass(frozen=True, slots=True)
class Delivery:
    """`id` is the forge's, "" where it gives none; `time` is when it happened, where that is signed too.

    `event` is None for what is nothing to us.
    """

    id: str
    event: Event | None
    time: datetime | None = None


def verify(kind: ForgeKind, headers: Mapping[str, str], body: bytes, secret: str) -> None:
    """Return where `body` comes from who knows `secret`. Header names are lower case. Raises WebhookRefused.

    It takes as long whatever a wrong signature has in common with the right one.
    """
    if len(secret) < SHORTEST:
        raise WebhookRefused(f"the secret has fewer than {SHORTEST} characters")
    match kind:
        case ForgeKind.GITLAB:
            brought, wanted = headers.get("x-gitlab-token", ""), secret
        case ForgeKind.GITHUB:
            brought, wanted = headers.get("x-hub-signature-256", ""), f"sha256={_digest(body, secret)}"
        case ForgeKind.GITEA:
            brought, wanted = headers.get("x-gitea-signature", ""), _digest(body, secret)
        case ForgeKind.FORGEJO:
            gitea = headers.get("x-gitea-signature", "")
            brought, wanted = headers.get("x-forgejo-signature", gitea), _digest(body, secret)
    if not hmac.compare_digest(brought.encode("utf-8", "surrogateescape"), wanted.encode()):
        raise WebhookRefused("the signature is missing or wrong")


def _digest(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def read(kind: ForgeKind, headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a body that was verified says. Raises WebhookRefused for what is not of the forge's form."""
    if len(body) > LARGEST:
        raise WebhookRefused("the body is too large")
    identifier = next((headers[name] for name in _IDS[kind] if name in headers), "")[:_LONGEST_ID]
    name = next((headers[name] for name in _NAMES[kind] if name in headers), "")
    known = _GITLAB if kind is ForgeKind.GITLAB else _REPOS
    parse = known.get(name)
    if parse is None and kind is not ForgeKind.GITLAB and name.startswith("pull_request_"):
        parse = _pull  # of Gitea's many names for reviews, pull_request_comment among them, and of GitHub's one
    event, time = parse(body) if parse is not None else (None, None)
    return Delivery(identifier, event, time)


_IDS: Final[Mapping[ForgeKind, tuple[str, ...]]] = {
    ForgeKind.GITHUB: ("x-github-delivery",),
    ForgeKind.GITLAB: ("idempotency-key", "x-gitlab-event-uuid"),
    ForgeKind.GITEA: ("x-gitea-delivery",),
    ForgeKind.FORGEJO: ("x-forgejo-delivery", "x-gitea-delivery"),
}
_NAMES: Final[Mapping[ForgeKind, tuple[str, ...]]] = {
    ForgeKind.GITHUB: ("x-github-event",),
    ForgeKind.GITLAB: ("x-gitlab-event",),
    ForgeKind.GITEA: ("x-gitea-event",),
    ForgeKind.FORGEJO: ("x-forgejo-event", "x-gitea-event"),
}

# -- GitHub, Gitea and Forgejo ----------------------------------------------------------------------------------------


class _User(msgspec.Struct):
    login: _Name = ""


class _Repository(msgspec.Struct):
    clone_url: _Name = ""
    ssh_url: _Name = ""
    html_url: _Name = ""
    pushed_at: int | str | None = None

    def addresses(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.clone_url, self.ssh_url, self.html_url)))


class _Push(msgspec.Struct):
    ref: _Name
    before: _Commit
    after: _Commit
    repository: _Repository


class _PullRequest(msgspec.Struct):
    number: _Number
    updated_at: _Name | None = None


class _PullEvent(msgspec.Struct):
    pull_request: _PullRequest
    repository: _Repository


class _Issue(msgspec.Struct):
    number: _Number
    pull_request: msgspec.Raw = msgspec.Raw()


class _Comment(msgspec.Struct):
    body: str = ""
    user: _User | None = None
    created_at: _Name | None = None


class _CommentEvent(msgspec.Struct):
    action: _Name
    issue: _Issue
    comment: _Comment
    repository: _Repository
    is_pull: bool = False


class _StatusEvent(msgspec.Struct):
    sha: _Commit
    context: _Name
    repository: _Repository
    sender: _User | None = None
    updated_at: _Name | None = None


_Parsed = tuple[Event | None, datetime | None]


def _push(body: bytes) -> _Parsed:
    found = _decode(body, _Push)
    event = Push(found.repository.addresses(), found.ref, found.before, found.after)
    at = found.repository.pushed_at  # seconds in this event of GitHub's, text elsewhere
    return event, _seconds(at) if isinstance(at, int) else None


def _pull(body: bytes) -> _Parsed:
    found = _decode(body, _PullEvent)
    event = PullChanged(found.repository.addresses(), found.pull_request.number)
    return event, _time(found.pull_request.updated_at)


def _comment(body: bytes) -> _Parsed:
    found = _decode(body, _CommentEvent)
    in_pull = found.is_pull or bytes(found.issue.pull_request) not in (b"", b"null")
    if found.action != "created" or not in_pull or not _commands(found.comment.body) or found.comment.user is None:
        return None, None
    event = PlanAsked(found.repository.addresses(), found.issue.number, found.comment.user.login)
    return event, _time(found.comment.created_at)


def _status(body: bytes) -> _Parsed:
    found = _decode(body, _StatusEvent)
    login = found.sender.login if found.sender is not None else ""
    return StatusSet(found.repository.addresses(), found.sha, found.context, login), _time(found.updated_at)


_REPOS: Final[Mapping[str, Callable[[bytes], _Parsed]]] = {
    "push": _push,
    "pull_request": _pull,
    "issue_comment": _comment,
    "status": _status,
}

# -- GitLab -----------------------------------------------------------------------------------------------------------


class _Project(msgspec.Struct):
    git_http_url: _Name = ""
    git_ssh_url: _Name = ""
    web_url: _Name = ""

    def addresses(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.git_http_url, self.git_ssh_url, self.web_url)))


class _LabPush(msgspec.Struct):
    ref: _Name
    before: _Commit
    after: _Commit
    project: _Project


class _MergeRequest(msgspec.Struct):
    iid: _Number
    updated_at: _Name | None = None


class _MergeEvent(msgspec.Struct):
    object_attributes: _MergeRequest
    project: _Project


class _LabUser(msgspec.Struct):
    username: _Name = ""


class _Note(msgspec.Struct):
    note: str = ""
    noteable_type: _Name = ""
    action: _Name | None = None  # older versions do not say it
    system: bool = False
    created_at: _Name | None = None


class _NoteEvent(msgspec.Struct):
    object_attributes: _Note
    project: _Project
    user: _LabUser
    merge_request: _MergeRequest | None = None


def _lab_push(body: bytes) -> _Parsed:
    found = _decode(body, _LabPush)
    return Push(found.project.addresses(), found.ref, found.before, found.after), None


def _lab_pull(body: bytes) -> _Parsed:
    found = _decode(body, _MergeEvent)
    merge = found.object_attributes
    return PullChanged(found.project.addresses(), merge.iid), _time(merge.updated_at)


def _lab_comment(body: bytes) -> _Parsed:
    found = _decode(body, _NoteEvent)
    note = found.object_attributes
    if found.merge_request is None or note.system or note.action == "update" or not _commands(note.note):
        return None, None
    event = PlanAsked(found.project.addresses(), found.merge_request.iid, found.user.username)
    return event, _time(note.created_at)


_GITLAB: Final[Mapping[str, Callable[[bytes], _Parsed]]] = {
    "Push Hook": _lab_push,
    "Tag Push Hook": _lab_push,
    "Merge Request Hook": _lab_pull,
    "Note Hook": _lab_comment,
}


def _commands(text: str) -> bool:
    """Whether the first line is the command, and nothing else."""
    return text.lstrip()[: len(COMMAND) + 64].partition("\n")[0].strip() == COMMAND


def _decode(body: bytes, kind: type[T]) -> T:
    """Only the fields that are stated are built; the rest is passed over, however much it is."""
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError:
        raise WebhookRefused("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WebhookRefused("the body is not of the forge's form", why=str(error)[:200]) from None


def _seconds(value: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _time(text: str | None) -> datetime | None:
    """A time as the forges write them; None for what is none, or lacks its zone."""
    try:
        found = datetime.fromisoformat((text or "").replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None
