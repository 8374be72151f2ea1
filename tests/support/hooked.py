"""What forges send by webhooks: whole deliveries, signed as they sign them."""

import hashlib
import hmac
import json
from typing import Any

from reconciler.model.forging import ForgeKind

SECRET = "a-webhook-secret-of-some-length"
OLD, NEW = "1" * 40, "2" * 40
HOST = "forge.example.com"


def signed(kind: ForgeKind, headers: dict[str, str], body: bytes, secret: str = SECRET) -> dict[str, str]:
    """`headers` with the proof that the forge adds."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    match kind:
        case ForgeKind.GITHUB:
            return {**headers, "x-hub-signature-256": f"sha256={digest}"}
        case ForgeKind.GITLAB:
            return {**headers, "x-gitlab-token": secret}
        case ForgeKind.GITEA:
            return {**headers, "x-gitea-signature": digest}
        case ForgeKind.FORGEJO:
            return {**headers, "x-gitea-signature": digest, "x-forgejo-signature": digest}


def delivery(kind: ForgeKind, what: str, body: dict[str, Any], identifier: str = "d-1") -> tuple[dict[str, str], bytes]:
    """Headers and body, signed. `what` is push, pull or comment."""
    if kind is ForgeKind.GITLAB:
        name = {"push": "Push Hook", "pull": "Merge Request Hook", "comment": "Note Hook"}[what]
        headers = {"x-gitlab-event": name, "x-gitlab-event-uuid": identifier}
    else:
        name = {"push": "push", "pull": "pull_request", "comment": "issue_comment"}.get(what, what)
        brand = kind.value
        headers = {f"x-{brand}-event": name, f"x-{brand}-delivery": identifier}
        if kind is ForgeKind.FORGEJO:
            headers |= {"x-gitea-event": name, "x-gitea-delivery": identifier}
    content = json.dumps(body).encode()
    return signed(kind, {"content-type": "application/json", **headers}, content), content


def push(kind: ForgeKind, repository: str = "shop/specs", ref: str = "refs/heads/main", **other: Any) -> dict[str, Any]:
    body = {
        "ref": ref,
        "before": OLD,
        "after": NEW,
        "commits": [{"id": NEW, "message": "more"}],
        **_place(kind, repository),
    }
    return {**body, **other}


def pull(
    kind: ForgeKind, number: int = 7, *, repository: str = "shop/specs", action: str = "synchronize", at: str = ""
) -> dict[str, Any]:
    if kind is ForgeKind.GITLAB:
        merge = {"iid": number, "action": "update", **({"updated_at": at} if at else {})}
        return {"object_kind": "merge_request", "object_attributes": merge, **_place(kind, repository)}
    request = {"number": number, "state": "open", **({"updated_at": at} if at else {})}
    return {"action": action, "number": number, "pull_request": request, **_place(kind, repository)}


def comment(
    kind: ForgeKind, text: str = "/plan", *, number: int = 7, repository: str = "shop/specs", login: str = "ada"
) -> dict[str, Any]:
    if kind is ForgeKind.GITLAB:
        note = {"id": 9, "note": text, "noteable_type": "MergeRequest", "action": "create", "system": False}
        return {
            "object_kind": "note",
            "user": {"id": 5, "username": login},
            "object_attributes": note,
            "merge_request": {"iid": number},
            **_place(kind, repository),
        }
    issue = {"number": number, "pull_request": {"url": "…"}}
    said = {"id": 9, "body": text, "user": {"login": login}}
    return {"action": "created", "issue": issue, "comment": said, "is_pull": True, **_place(kind, repository)}


def status(context: str, *, login: str, commit: str = NEW, repository: str = "shop/specs") -> dict[str, Any]:
    """Of GitHub, Gitea and Forgejo."""
    said = {"id": 3, "sha": commit, "context": context, "state": "success", "description": None, "target_url": None}
    return {**said, "sender": {"login": login}, **_place(ForgeKind.GITHUB, repository)}


def _place(kind: ForgeKind, repository: str) -> dict[str, Any]:
    place = f"{HOST}/{repository}"
    if kind is ForgeKind.GITLAB:
        urls = {"git_http_url": f"https://{place}.git", "git_ssh_url": f"git@{HOST}:{repository}.git"}
        return {"project": {"id": 40, "web_url": f"https://{place}", **urls}}
    urls = {"clone_url": f"https://{place}.git", "ssh_url": f"git@{HOST}:{repository}.git"}
    return {"repository": {"id": 40, "full_name": repository, "html_url": f"https://{place}", **urls}}
