"""A receiver's secrets by file. One that cannot be read now may come yet."""

from reconciler import secret_file
from reconciler.errors import SecretUnreadable, Undelivered


def read_secret(path: str) -> str:
    """The secret in the file `path`. Raises Undelivered."""
    try:
        return secret_file.read_secret(path)
    except SecretUnreadable as error:
        raise Undelivered(error.what, why=error.why) from None
