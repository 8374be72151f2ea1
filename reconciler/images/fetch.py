"""The first container of a build's Job: it brings the context.

python -m reconciler.images.fetch --from REPOSITORY@DIGEST --work FOLDER [--plain REGISTRY] [--ca-file FILE]
    [--config-file FILE]
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

from reconciler.clock import SystemClock
from reconciler.errors import ImageError
from reconciler.images import artifact, buildah_argv
from reconciler.images.context import still
from reconciler.images.reference import Reference
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.model.image import Registries, RegistryHost


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; what went wrong is on standard error."""
    parser = argparse.ArgumentParser(prog="reconciler.images.fetch", allow_abbrev=False)
    parser.add_argument("--from", dest="reference", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--plain", action="append", default=[])
    parser.add_argument("--ca-file")
    parser.add_argument("--config-file")
    stated = parser.parse_args(arguments)
    try:
        asyncio.run(_fetch(stated.reference, stated.work, stated.plain, stated.ca_file, stated.config_file))
    except ImageError as error:
        print("\n".join(error.diagnostics()), file=sys.stderr)  # noqa: T201 - a program of its own
        return 1
    return 0


async def _fetch(reference: str, work: Path, plain: Sequence[str], ca_file: str | None, config: str | None) -> None:
    parsed = Reference.parse(reference)
    registry = parsed.repository.registry
    host = RegistryHost(registry, ca_file, registry in plain)
    session = Session(Registries(config, (), (host,)), SystemClock(), Random())  # noqa: S311 - spreads retries
    try:
        await artifact.fetch(Registry(session), parsed, work)
    finally:
        await session.close()
    await asyncio.to_thread(still, work)
    await asyncio.to_thread(buildah_argv.prepare, work, plain)


if __name__ == "__main__":
    sys.exit(main())
