"""Secrets by file: read anew at each use, so that a changed file needs no restart; in nothing that is said."""

from pathlib import Path
from typing import Final

from reconciler.errors import SecretUnreadable

_LARGEST: Final = 64 * 1024  # bytes


def read_secret(path: str) -> str:
    """The file's text without the white space around it. Raises SecretUnreadable: the file may come yet."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SecretUnreadable(f"{path} is too large for a secret")
        text = content.decode().strip()
    except OSError as error:
        raise SecretUnreadable(f"{path} cannot be read", why=error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise SecretUnreadable(f"{path} is not text") from None
    if not text:
        raise SecretUnreadable(f"{path} is empty")
    return text


def without(text: str, *secrets: str) -> str:
    """`text`, where it repeats one of `secrets`, with a mark in its place."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
