"""`reconciler image`: what the Images of a folder mean, looked up and built from here."""

import argparse
from typing import TYPE_CHECKING, Final

from reconciler.cli.arguments import Verbs, output_flag, repository_flags
from reconciler.cli.exits import CHANGES, ERROR, OK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reconciler.cli.imaged import FolderImages
    from reconciler.errors import ImageError
    from reconciler.images.stated import Pins
    from reconciler.images.writeback import Change
    from reconciler.kube.names import Identity

_ORDERS: Final = ("list", "build", "resolve")
_SHORT: Final = 19  # characters of a digest: "sha256:" and twelve digits
_AT_ONCE: Final = 8  # requests for ages


def add(verbs: Verbs) -> None:
    parser = verbs.add_parser("image", help="list, build and resolve images", description=image.__doc__)
    parser.add_argument("order", metavar="list|build|resolve", choices=_ORDERS, help="what is to be done")
    repository_flags(parser)
    parser.add_argument("--only", metavar="NAME", action="append", help="this Image alone; may be given several times")
    parser.add_argument("--write", action="store_true", help="write digests into images.lock.yaml of the folder")
    parser.add_argument(
        "--config", metavar="FILE", help="the daemon's configuration: registries, keys, limits (default: your own)"
    )
    output_flag(parser, "text", "json")
    parser.set_defaults(verb=image)


def image(args: argparse.Namespace) -> int:
    """`list` shows each Image with its tag, digest, age and users; `build` builds what the registry does not have, with
    Buildah on this machine, and pushes it; `resolve` asks registries for newer digests than the lock file has, exit
    code 2 where there are some."""
    import asyncio

    orders = {"list": _list, "build": _build, "resolve": _resolve}
    return asyncio.run(orders[args.order](args))


async def _list(args: argparse.Namespace) -> int:
    import json

    from reconciler.cli.imaged import folder_images, kept
    from reconciler.cli.show import out, table
    from reconciler.clock import SystemClock
    from reconciler.errors import ImageError
    from reconciler.images.stated import Pin
    from reconciler.model.manifest import DriftMode, Owner
    from reconciler.render.render import Renderer

    async with folder_images(args) as it:
        pins = await it.pinner.settle(it.stated, it.commit, {})
        made = await _ages(it, pins)
    renderer = Renderer()
    renderer.render(it.folder.specs, owner=Owner("offline", "folder"), adopt=False, drift=DriftMode.HEAL)
    users, now = renderer.users(), SystemClock().now()
    rows, listed = [("IMAGE", "TAG", "DIGEST", "AGE", "FROM", "USED BY")], []
    for identity, pin in sorted(pins.items()):
        used = kept(users.get(identity, ()), identity)
        name = f"{identity.namespace}/{identity.name}"
        created = made.get(identity)
        found = {"image": name, "usedBy": used, "created": created.isoformat() if created else None}
        if isinstance(pin, Pin):
            reference = pin.reference
            found |= {"repository": str(reference.repository), "tag": reference.tag, "digest": reference.digest}
            found |= {"from": pin.origin.value, "error": None}
            age = _age((now - created).total_seconds()) if created else "-"
            rows.append((name, reference.tag or "-", reference.digest[:_SHORT], age, pin.origin.value, ", ".join(used)))
        else:
            found |= {"repository": None, "tag": None, "digest": None, "from": None, "error": str(pin)}
            rows.append((name, "-", "-", "-", "-", ", ".join(used)))
        listed.append(found)
    if args.output == "json":
        out(json.dumps({"images": listed}, indent=2))
    else:
        out(table(rows) if listed else f"there are no Images in {args.path}")
    return _failures({i: pin for i, pin in pins.items() if isinstance(pin, ImageError)})


async def _build(args: argparse.Namespace) -> int:
    import json

    from reconciler.cli.imaged import folder_images
    from reconciler.cli.show import out
    from reconciler.errors import ImageError
    from reconciler.images.reference import Reference
    from reconciler.images.stated import Pin

    def said(target: Reference, line: str) -> None:
        if args.output == "text":
            out(f"{target.repository.path} | {line}")

    async with folder_images(args, said=said) as it:
        stated = [one for one in it.stated if one.build is not None]
        pins = await it.pinner.settle(stated, it.commit, {})
        built = {identity: pin for identity, pin in pins.items() if isinstance(pin, Pin)}
        changes, _failed = await it.pinner.scan(stated, it.commit, built)
        if args.write:
            await _write(it, changes)
    if args.output == "json":
        out(
            json.dumps(
                {"images": {f"{i.namespace}/{i.name}": str(pin.reference) for i, pin in built.items()}}, indent=2
            )
        )
    else:
        for identity, pin in sorted(built.items()):
            out(f"{identity.namespace}/{identity.name} is {pin.reference}")
        if not stated:
            out(f"no Image in {args.path} states what to build")
    return _failures({i: pin for i, pin in pins.items() if isinstance(pin, ImageError)})


async def _resolve(args: argparse.Namespace) -> int:
    import json

    from reconciler.cli.imaged import folder_images
    from reconciler.cli.show import out
    from reconciler.errors import ImageError
    from reconciler.images.writeback import described

    async with folder_images(args) as it:
        pins = await it.pinner.settle(it.stated, it.commit, {})
        changes, failed = await it.pinner.scan(it.stated, it.commit, pins)
        if args.write:
            await _write(it, changes)
    if args.output == "json":
        entries = [
            {"file": c.path, "image": c.key, "from": c.before and str(c.before.reference), "to": str(c.after.reference)}
            for c in changes
        ]
        out(json.dumps({"changes": entries, "written": bool(args.write)}, indent=2))
    else:
        for change in changes:
            before = f" from {described(change.before)}" if change.before else ""
            out(f"{change.path}: {change.key}{before} to {described(change.after)}: it {change.why}")
        if not changes:
            out("the lock files have the newest digests")
    wrong = {**{i: pin for i, pin in pins.items() if isinstance(pin, ImageError)}, **failed}
    return _failures(wrong) or (CHANGES if changes and not args.write else OK)


async def _write(it: "FolderImages", changes: "Sequence[Change]") -> None:
    from reconciler.images.lock import changed

    for path in sorted({change.path for change in changes}):
        file = it.root / path
        before = file.read_bytes() if file.is_file() else b""
        file.write_bytes(changed(before, {c.key: c.after for c in changes if c.path == path}, path))


async def _ages(it: "FolderImages", pins: "Pins") -> "Mapping[Identity, datetime | None]":
    """When the images were made, as far as they say so."""
    import asyncio

    from reconciler.errors import ImageError
    from reconciler.images.created import created
    from reconciler.images.stated import Pin

    slots = asyncio.Semaphore(_AT_ONCE)

    async def age(identity: "Identity", pin: Pin) -> "tuple[Identity, datetime | None]":
        async with slots:
            try:
                return identity, await created(it.registry, pin.reference)
            except ImageError:
                return identity, None

    found = (age(identity, pin) for identity, pin in pins.items() if isinstance(pin, Pin))
    return dict(await asyncio.gather(*found))


def _age(seconds: float) -> str:
    """ "3d", "5h", "12m"."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def _failures(wrong: "Mapping[Identity, ImageError]") -> int:
    """Say what failed, to standard error."""
    import sys

    from reconciler.errors import BuildFailed

    sys.stdout.flush()
    for identity, error in sorted(wrong.items(), key=lambda item: item[0]):
        where = "" if str(identity) in error.where else f"{identity}: "
        sys.stderr.write("\n".join([f"{where}{next(error.diagnostics())}", *list(error.diagnostics())[1:], ""]))
        if isinstance(error, BuildFailed):
            sys.stderr.write("".join(f"  | {line}\n" for line in error.log[-10:]))
    return ERROR if wrong else OK
