"""Admission webhooks of a test's own namespace, served by the test itself over HTTPS on loopback."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from certificates import self_signed
from loopback import served
from world import World

from reconciler.http.transport import Request

REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1"
RULE = {
    "apiGroups": ["", "apps"],
    "apiVersions": ["*"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps", "services", "deployments", "secrets"],
    "scope": "Namespaced",
}
PROBE = "is-it-in-force"
PEOPLE = {"name": "people", "expression": "!request.userInfo.username.startsWith('system:')"}

Patch = list[dict[str, Any]]


class Denied(Exception):
    """The webhook refuses the object, in these words."""


Verdict = Callable[[dict[str, Any]], Awaitable[Patch | None]]
"""Looks at an object: lets it pass (None), patches it (JSON Patch), or raises Denied."""


async def allow(_obj: dict[str, Any]) -> None:
    """Let everything pass."""


class Webhook:
    """What a test sees of it: `verdict` may be changed at any time; `seen` are the names it was asked about."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.seen: list[str] = []
        self.probed = 0

    async def answer(self, request: web.Request) -> web.Response:
        """An AdmissionReview for an AdmissionReview."""
        asked = (await request.json())["request"]
        said: dict[str, Any] = {"uid": asked["uid"], "allowed": True}
        if asked["name"] == PROBE:
            self.probed += 1
        else:
            if not asked.get("dryRun"):
                self.seen.append(asked["name"])
            try:
                patch = await self.verdict(asked["object"])
            except Denied as denied:
                said |= {"allowed": False, "status": {"message": str(denied)}}
            else:
                if patch:
                    encoded = base64.b64encode(json.dumps(patch).encode()).decode()
                    said |= {"patchType": "JSONPatch", "patch": encoded}
        response = web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": said})
        response.force_close()  # no connection is left for the end of the test
        return response


@asynccontextmanager
async def admission(
    w: World,
    folder: Path,
    verdict: Verdict,
    *,
    mutating: bool = False,
    policy: str = "Fail",
    timeout: int = 10,
    namespaces: Sequence[str] = (),
) -> AsyncIterator[Webhook]:
    """A webhook in force for the namespace of `w`'s sources, which must be there, or for `namespaces`, and no other.

    It is not asked about what controllers write: each new namespace gets an object from them, nobody knows when.
    `folder` takes its certificate; `policy` and `timeout` (in seconds) are what the API server is to do without it.
    """
    hook = Webhook(verdict)
    application = web.Application()
    application.router.add_post("/", hook.answer)
    pair = await asyncio.to_thread(self_signed, folder, "webhook")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    kind = "MutatingWebhookConfiguration" if mutating else "ValidatingWebhookConfiguration"
    path = f"{REGISTRATIONS}/{kind.lower()}s"
    name = w.name("test")
    webhook: dict[str, Any] = {
        "name": "policy.example.com",
        "rules": [RULE],
        "namespaceSelector": {
            "matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(namespaces or (w.space,))}
            ]
        },
        "matchConditions": [PEOPLE],
        "failurePolicy": policy,
        "timeoutSeconds": timeout,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": [webhook],
    }
    async with served(application, tls=context, patience=0.01) as url:  # with 0 aiohttp waits for whoever never answers
        authority = base64.b64encode(pair.certificate.read_bytes()).decode()
        webhook["clientConfig"] = {"url": f"{url}/", "caBundle": authority}
        await w.create(path, body)
        try:
            await w.until(lambda: _in_force(w, hook))
            yield hook
        finally:
            await w.call("DELETE", f"{path}/{name}")


def images_of(obj: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """The images of a workload: JSON pointer and image."""
    for number, container in enumerate(obj["spec"]["template"]["spec"]["containers"]):
        yield f"/spec/template/spec/containers/{number}/image", container["image"]


async def _in_force(w: World, hook: Webhook) -> bool:
    """Whether the API server has heard of the webhook: a dry-run is admitted like any other request."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROBE}}
    headers = {"content-type": "application/json"}
    request = Request("POST", w.path("configmaps"), (("dryRun", "All"),), headers, json.dumps(body).encode())
    await w.transport.send(request)
    return hook.probed > 0
