"""What a repository's documents may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond one of these a file is refused; nothing of it is used and its source prunes nothing.

    `expanded_nodes` counts the values of one document after its aliases are followed; a text counts one more for every
    100 characters. So an alias bomb costs no more than this, whatever its form.
    """

    file_bytes: int = 4 * 1024 * 1024
    depth: int = 100
    aliases: int = 1_000  # in one document
    expanded_nodes: int = 250_000  # in one document
    documents_per_file: int = 5_000  # the items of a List count
    documents: int = 100_000  # of the whole snapshot
    mounted_bytes: int = 1024 * 1024 - 16 * 1024  # a ConfigMap holds 1 MiB with its own metadata
