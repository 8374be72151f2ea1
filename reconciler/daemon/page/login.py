"""What somebody sees who may not see the page, or not yet."""

from reconciler.daemon.page.layout import bare
from reconciler.daemon.page.markup import tag


def login_page(target: str, *, wrong: bool = False) -> str:
    """The form that asks for the token; `target` is where it leads."""
    said = tag("p", "This is not the token.", role="alert", class_="wrong") if wrong else None
    field = tag(
        "label",
        tag("span", "Token"),
        tag("input", type="password", name="token", id="token", autocomplete="current-password", required=True),
    )
    where = tag("input", type="hidden", name="next", value=target)
    form = tag("form", said, field, where, tag("button", "Log in"), method="post", action="/login", class_="login")
    return bare("Log in", form, tag("p", "The token is in the file that statusPage.tokenFile names."))


def elsewhere() -> str:
    """For somebody on another machine, where there is no token."""
    forward = "kubectl -n reconciler-system port-forward deployment/reconciler 8080"
    return bare(
        "This page is served to its own machine only",
        tag("p", "Set statusPage.tokenFile in the daemon's configuration to open it to whoever has a token, or run"),
        tag("pre", forward),
        tag("p", "and open http://localhost:8080."),
    )


def no_token() -> str:
    return bare(
        "The token cannot be read",
        tag("p", "statusPage.tokenFile must name a file that the daemon can read, with 16 characters or more."),
    )


def nothing_here(words: str) -> str:
    return bare("Nothing here", tag("p", words), tag("p", tag("a", "Overview", href="/")))
