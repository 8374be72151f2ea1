"""A cluster in a file, or as it is now: what is planned from."""

import argparse
from pathlib import Path
from typing import Any

import msgspec

from reconciler.cli.session import session
from reconciler.engine.trial import listed
from reconciler.errors import ConfigError
from reconciler.model.planner_config import PlannerConfig
from reconciler.planner.drawing import Drawing
from reconciler.specs.config import read_config


async def taken(args: argparse.Namespace) -> dict[str, Any]:
    """A snapshot of the cluster that the flags name."""
    async with session(args) as it:
        found = await listed(it.cluster)
        now = it.clock.now()
    return {"apiVersion": "reconciler.dev/v1", "kind": "ClusterSnapshot", "taken": now.isoformat(), "objects": found}


def objects(file: str) -> list[dict[str, Any]]:
    """Those of a file that `reconciler snapshot` wrote. Raises ConfigError."""
    hint = "`reconciler snapshot FILE` writes one"
    try:
        body = msgspec.json.decode(Path(file).read_bytes())
    except OSError as error:
        raise ConfigError("the snapshot cannot be read", where=file, why=error.strerror or "", hint=hint) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ConfigError("this is no snapshot", where=file, why=str(error), hint=hint) from None
    found = body.get("objects") if isinstance(body, dict) and body.get("kind") == "ClusterSnapshot" else None
    if not isinstance(found, list) or not all(_named(obj) for obj in found):
        raise ConfigError("this is no snapshot", where=file, hint=hint)
    return found


def _named(obj: Any) -> bool:
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    texts = (obj.get("apiVersion"), obj.get("kind"), metadata.get("name")) if isinstance(metadata, dict) else ()
    return bool(texts) and all(isinstance(text, str) and text for text in texts)


def planner_config(file: str | None) -> PlannerConfig:
    """The planner's part of a daemon's configuration; the defaults without a file. Raises ConfigError."""
    if file is None:
        return PlannerConfig()
    if (found := read_config(file).planner) is None:
        raise ConfigError("this configuration has no planner", where=file, hint="docs/configuration.md says how")
    return found


def drawn(file: str, drawing: Drawing) -> None:
    """Write a picture as PNG. Raises ConfigError, OSError."""
    from reconciler.planner.raster import png

    Path(file).write_bytes(png(drawing))
