"""Every error the product raises on purpose, as one tree.

    ReconcilerError
    ├── ConfigError            the daemon's configuration or a command's arguments cannot be used
    ├── SourceError            a Git repository could not be read
    │   ├── SourceRefused      a URL, ref or path that is unsafe to give to Git
    │   ├── SourceUnreachable  the server did not answer, or not in time; worth trying again
    │   ├── SourceMissing      the repository, ref or path does not exist
    │   └── SourceTooLarge     a limit on size or count was exceeded
    ├── ImageError             an image could not be found, built, pushed or trusted
    │   ├── ImageRefused       a reference, a context or a setting that is unsafe or not allowed
    │   ├── ImageMissing       the registry has no such repository, tag, digest or blob
    │   ├── ImageUntrusted     what came is not what was asked for, or no signature holds
    │   ├── RegistryUnreachable  the registry gave no usable answer, or wants to be left alone; worth trying again
    │   ├── RegistryDenied     the registry refuses our credentials, or what they allow
    │   ├── ImageAwaited       it is being built, or its registry has not answered yet
    │   └── BuildFailed        a build failed, hung, or took more than it may
    ├── AlertError             a receiver of alerts was not told
    │   ├── Undelivered        it did not answer, or not in time, or asked for patience; worth trying again
    │   └── Refused            it will never take this message
    ├── UsageError             what is used could not be learnt
    │   ├── QueryFailed        the question is wrong, or nobody is there to ask
    │   └── QueryUnanswered    there was no usable answer this time; worth trying again
    ├── ForgeError             GitHub, GitLab, Gitea or Forgejo did not do what was asked
    │   ├── ForgeUnreachable   it gave no usable answer, or wants to be left alone; worth trying again
    │   ├── ForgeDenied        it refuses our token, or what the token allows
    │   ├── ForgeMissing       it has no such repository, pull request, comment or commit
    │   └── ForgeRefused       it will never do this
    ├── WebhookRefused         what came in by a webhook cannot be believed or read
    ├── SecretUnreadable       a file that should hold a secret does not; it may come yet
    ├── TransportError         no usable HTTP answer: refused, reset, timed out, TLS, garbage
    └── ApiError               a Kubernetes API server answered with a Status
        ├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405 · Conflict 409
        ├── AlreadyExists 409 · Gone 410 · PreconditionFailed 412 · Invalid 422 · TooManyRequests 429 · ServerFault 5xx

Each says what happened, where, why and what to do: `what` is one sentence, `where` a file:line or an object,
`why` the cause below (never a secret's value), `hint` the next thing to try.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar


class ReconcilerError(Exception):
    """The root. `str(error)` is one line; `diagnostics()` yields the lines a terminal shows."""

    def __init__(self, what: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        why = f": {self.why}" if self.why else ""
        return f"{where}{self.what}{why}"

    @property
    def advised(self) -> str:
        """The error in one line, with the advice."""
        return f"{self}; {self.hint}" if self.hint else str(self)

    def diagnostics(self) -> Iterator[str]:
        """The error as lines: first what and where, then the cause, then the advice."""
        yield f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            yield f"  because: {self.why}"
        if self.hint:
            yield f"  hint: {self.hint}"


class ConfigError(ReconcilerError):
    """The daemon's configuration or a command's arguments cannot be used."""


class SourceError(ReconcilerError):
    """A Git repository could not be read."""


class SourceRefused(SourceError):
    """A URL, ref or path that is unsafe to give to Git. Trying again never helps."""


class SourceUnreachable(SourceError):
    """The Git server did not answer, or not in time. Trying again may help."""


class SourceMissing(SourceError):
    """The repository, ref or path does not exist."""


class SourceTooLarge(SourceError):
    """A limit on a blob's size, the number of files or their total size was exceeded."""


class ImageError(ReconcilerError):
    """An image could not be found, built, pushed or trusted. The last good digest stays in use."""


class ImageRefused(ImageError):
    """A reference, a build context or a setting that is unsafe or not allowed. Trying again never helps."""


class ImageMissing(ImageError):
    """The registry has no such repository, tag, digest or blob."""


class ImageUntrusted(ImageError):
    """What came does not have the digest that was asked for, or no signature of a known key holds."""


class RegistryUnreachable(ImageError):
    """The registry gave no usable answer, or asks us to come later. Trying again may help."""


class RegistryDenied(ImageError):
    """The registry refuses our credentials, or what they allow."""


class ImageAwaited(ImageError):
    """The image is being built, or its registry has not answered yet. It will be told."""


class BuildFailed(ImageError):
    """A build failed, hung, or took more than it may. `log` holds its last lines."""

    def __init__(self, what: str, *, where: str = "", why: str = "", hint: str = "", log: Sequence[str] = ()) -> None:
        super().__init__(what, where=where, why=why, hint=hint)
        self.log = tuple(log)


class AlertError(ReconcilerError):
    """A receiver of alerts was not told."""


class Undelivered(AlertError):
    """The receiver did not answer, or not in time, or asked for patience (`retry_after` seconds): try again."""

    def __init__(self, what: str, *, retry_after: float | None = None, why: str = "", hint: str = "") -> None:
        super().__init__(what, why=why, hint=hint)
        self.retry_after = retry_after


class Refused(AlertError):
    """The receiver will never take this message."""


class UsageError(ReconcilerError):
    """What workloads use could not be learnt: nothing is changed for it."""


class QueryFailed(UsageError):
    pass


class QueryUnanswered(UsageError):
    pass


class ForgeError(ReconcilerError):
    """A forge did not do what was asked."""


class ForgeUnreachable(ForgeError):
    """No usable answer, or a request to come later (`retry_after` seconds): try again."""

    def __init__(
        self, what: str, *, retry_after: float | None = None, where: str = "", why: str = "", hint: str = ""
    ) -> None:
        super().__init__(what, where=where, why=why, hint=hint)
        self.retry_after = retry_after


class ForgeDenied(ForgeError):
    """The forge refuses our token, or what the token allows."""


class ForgeMissing(ForgeError):
    """The forge has no such thing, or hides it from us."""


class ForgeRefused(ForgeError):
    """The forge understood, and will never do this."""


class WebhookRefused(ReconcilerError):
    """What came in by a webhook cannot be believed or read. Nothing was done for it."""


class SecretUnreadable(ReconcilerError):
    """A file that should hold a secret is missing, empty, too large or no text."""


class TransportError(ReconcilerError):
    """No usable HTTP answer: connection refused or reset, deadline passed, TLS failed, not HTTP."""


class ApiError(ReconcilerError):
    """A Kubernetes API server answered with a failure.

    `status` is the HTTP code, `reason` the machine-readable word of the Status ("NotFound", "Conflict", …), `causes`
    its `details.causes`, each with `field`, `reason` and `message`; `retry_after` the server's wish in seconds.
    """

    code: ClassVar[int] = 0

    def __init__(
        self,
        what: str,
        *,
        status: int,
        reason: str = "",
        causes: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
        where: str = "",
        why: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(what, where=where, why=why, hint=hint)
        self.status = status
        self.reason = reason
        self.causes = tuple(causes)
        self.retry_after = retry_after


class BadRequest(ApiError):
    code = 400


class Unauthorized(ApiError):
    code = 401


class Forbidden(ApiError):
    code = 403


class NotFound(ApiError):
    code = 404


class MethodNotAllowed(ApiError):
    code = 405


class Conflict(ApiError):
    code = 409


class AlreadyExists(ApiError):
    code = 409


class Gone(ApiError):
    code = 410


class PreconditionFailed(ApiError):
    code = 412


class Invalid(ApiError):
    code = 422


class TooManyRequests(ApiError):
    code = 429


class ServerFault(ApiError):
    code = 500


_BY_CODE: dict[int, type[ApiError]] = {
    kind.code: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        Gone,
        PreconditionFailed,
        Invalid,
        TooManyRequests,
    )
}


def api_error(status: int, body: Mapping[str, Any], *, where: str = "", retry_after: float | None = None) -> ApiError:
    """The error for a Kubernetes `Status` object `body` that came with HTTP code `status`."""
    reason = str(body.get("reason") or "")
    kind = _BY_CODE.get(status, ServerFault if status >= 500 else ApiError)
    if reason == "AlreadyExists":
        kind = AlreadyExists
    details = body.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    message = str(body.get("message") or f"the API server answered {status}")
    return kind(
        message,
        status=status,
        reason=reason,
        causes=causes if isinstance(causes, list) else (),
        retry_after=retry_after,
        where=where,
    )
