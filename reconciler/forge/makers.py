"""Who has a part in what is to be merged, as far as its commits say. Pure.

A commit's author writes his name, his address and the names of others himself. A forge knows whose an address is; where
it does not, or tells no account, names and addresses are compared with those of the account. Who is taken for a maker
wrongly only has to leave the approval to somebody else.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

_CO_AUTHOR: Final = re.compile(
    r"^[ \t]*co-authored-by:(?P<name>[^<\n]{0,1000})<(?P<email>[^>\n]{0,1000})>", re.IGNORECASE | re.MULTILINE
)
_NUMBER: Final = re.compile(r"\d+[+-]")


class Signature(NamedTuple):
    """An author, a committer or a co-author of a commit. `login` is the forge's account, "" where it tells none."""

    name: str
    email: str
    login: str = ""


class Account(NamedTuple):
    """What a forge tells of somebody; "" where it tells nothing."""

    login: str
    name: str = ""
    email: str = ""


def co_authors(message: str) -> Iterator[Signature]:
    """Those whom a commit's message names."""
    for match in _CO_AUTHOR.finditer(message.replace("\r", "\n")):
        yield Signature(match["name"], match["email"])


def makers(accounts: Iterable[Account], signatures: Collection[Signature]) -> frozenset[str]:
    """The logins of those of `accounts` that one of `signatures` may be of."""
    return frozenset(account.login for account in accounts if any(_is(account, each) for each in signatures))


def _is(account: Account, signature: Signature) -> bool:
    if signature.login:
        return signature.login.lower() == account.login.lower()
    names = {_plain(account.login), _plain(account.name)} - {""}
    email = signature.email.strip().lower()
    return _plain(signature.name) in names or (
        bool(email) and (email == account.email.strip().lower() or _unanswered(email) == account.login.lower())
    )


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _unanswered(email: str) -> str:
    """The login in an address that forges give to those who hide theirs: `login@users.noreply.github.com`, or after a
    number, `5+login@…` and `5-login@…`; "" for another address."""
    local, _, host = email.rpartition("@")
    return _NUMBER.sub("", local, count=1) if "noreply" in host.split(".") else ""
