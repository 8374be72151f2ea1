"""What a Containerfile says of the images that it begins from. Pure, and nothing of it is run.

Only what decides them is read: parser directives, ARG before the first FROM, FROM, COPY --from and RUN --mount=…,from=.
Source: https://docs.docker.com/reference/dockerfile/.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from reconciler.errors import ImageRefused
from reconciler.images.reference import Reference

MAX_BYTES: Final = 1024 * 1024
_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(.+?)\s*")
_HEREDOC: Final = re.compile(r"<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2")
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^{}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_ARG: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(?:\"([^\"]*)\"|'([^']*)'|(\S*)))?")
_FROM: Final = re.compile(r"(?:--\S+\s+)*(?P<image>[^\s-]\S*)(?:\s+[Aa][Ss]\s+(?P<stage>\S+))?\s*")
_STAGE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_COPY: Final = re.compile(r"(?:--\S+\s+)*?--from=(\S+)")
_MOUNT: Final = re.compile(r"--mount=(\S+)")


class Base(NamedTuple):
    """An image that the file begins from. `written` is how it says it, its variables filled in."""

    written: str
    reference: Reference


class _Instruction(NamedTuple):
    line: int  # of the file, from 1
    last: int
    word: str  # upper case
    rest: str


class _Use(NamedTuple):
    """Where an instruction names an image: `raw` is the text there, and `before` what stands directly before it."""

    instruction: _Instruction
    before: str
    raw: str
    base: Base


def bases(content: bytes, args: Mapping[str, str], where: str) -> tuple[Base, ...]:
    """The images that the file at `where` begins from when built with `args`, each once, in their order.

    Neither `scratch` nor the file's own stages are among them. Raises ImageRefused with file:line.
    """
    found = {use.base.written: use.base for use in _uses(_text(content, where), args, where)}
    return tuple(found.values())


def pinned(content: bytes, args: Mapping[str, str], digests: Mapping[str, Reference], where: str) -> bytes:
    """The file with each base (by how it is written) replaced by its reference in `digests`.

    So the builder takes what was hashed, wherever a tag points by then. Raises ImageRefused with file:line.
    """
    text = _text(content, where)
    lines = text.split("\n")
    for use in _uses(text, args, where):
        base = digests[use.base.written]
        sought = re.compile(rf"(?<!\S){use.before}{re.escape(use.raw)}(?=[\s,]|$)")
        name = f"{base.repository}@{base.digest}"
        for number in range(use.instruction.line - 1, use.instruction.last):
            lines[number], count = sought.subn(lambda match: match[0][: -len(use.raw)] + name, lines[number], count=1)  # noqa: B023
            if count:
                break
        else:
            place = f"{where}:{use.instruction.line}"
            raise ImageRefused(f"{use.raw[:80]!r} cannot be pinned here", where=place, hint="write it on one line")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _text(content: bytes, where: str) -> str:
    if len(content) > MAX_BYTES:
        raise ImageRefused(f"the file has more than {MAX_BYTES:,} bytes", where=where)
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _uses(text: str, args: Mapping[str, str], where: str) -> Iterator[_Use]:
    known: dict[str, str] = {}
    stages: set[str] = set()
    begun = 0
    for instruction in _instructions(text):
        place = f"{where}:{instruction.line}"
        stage = ""
        names: list[tuple[str, str, str]] = []  # before, raw, filled
        match instruction.word:
            case "ARG" if not begun:
                _define(instruction.rest, args, known, place)
            case "FROM":
                parsed = _FROM.fullmatch(instruction.rest)
                if parsed is None:
                    raise ImageRefused(f"FROM {instruction.rest[:80]!r} cannot be read", where=place)
                names.append(("", parsed["image"], _filled(parsed["image"], known, place)))
                stage = (parsed["stage"] or "").lower()
            case "COPY" | "ADD":
                if copied := _COPY.match(instruction.rest):
                    names.append(("--from=", copied[1], copied[1].strip("\"'")))
            case "RUN":
                for mount in _MOUNT.findall(instruction.rest):
                    names += [
                        (r"--mount=(?:\S*,)?from=", part[5:], part[5:])
                        for part in mount.split(",")
                        if part[:5] == "from="
                    ]
        for before, raw, name in names:
            if name != "scratch" and name.lower() not in stages and not _numbered(name, begun):
                yield _Use(instruction, before, raw, Base(name, _parsed(name, place)))
        if instruction.word == "FROM":
            begun += 1
            if stage and _STAGE.fullmatch(stage):
                stages.add(stage)
    if not begun:
        raise ImageRefused("the file has no FROM", where=where)


def _define(text: str, args: Mapping[str, str], known: dict[str, str], place: str) -> None:
    """Take the variables of an ARG before the first FROM into `known`."""
    for arg in _ARG.finditer(text):
        stated = next((value for value in arg.groups()[1:] if value is not None), None)
        value = args.get(arg[1], None if stated is None else _filled(stated, known, place))
        if value is not None:
            known[arg[1]] = value


def _numbered(name: str, begun: int) -> bool:
    """Whether `name` is the number of an earlier stage, as COPY --from may say."""
    return name.isascii() and name.isdigit() and int(name) < begun


def _parsed(name: str, place: str) -> Reference:
    if "$" in name:
        raise ImageRefused(f"{name[:80]!r} holds a variable, which is not filled in here", where=place)
    try:
        return Reference.parse(name)
    except ImageRefused as error:
        error.where = place
        raise


def _filled(text: str, known: Mapping[str, str], place: str) -> str:
    def value(match: re.Match[str]) -> str:
        name, operator, word = match[1] or match[4], match[2] or "", match[3] or ""
        is_set = name in known and (known[name] != "" or not operator.startswith(":"))
        if operator.endswith("-"):
            return known[name] if is_set else word
        if operator.endswith("+"):
            return word if is_set else ""
        if name not in known:
            raise ImageRefused(
                f"the variable {name} has no value before the first FROM",
                where=place,
                hint=f"state ARG {name}=… before it, or args of the build",
            )
        return known[name]

    return _VARIABLE.sub(value, text).strip("\"'")


def _instructions(text: str) -> Iterator[_Instruction]:
    """The instructions, continued lines joined, comments and here-documents left out."""
    escape = "\\"
    directives = True
    lines = iter(enumerate(text.split("\n"), start=1))
    for number, line in lines:
        if directives and (directive := _DIRECTIVE.fullmatch(line.strip())):
            if directive[1].lower() == "escape" and directive[2] in ("\\", "`"):
                escape = directive[2]
            continue
        directives = False
        whole = line.strip()
        if not whole or whole.startswith("#"):
            continue
        last = number
        while whole.endswith(escape):
            whole = whole.removesuffix(escape)
            last, following = next(((n, part) for n, part in lines if not _skipped(part)), (last, ""))
            whole += following.rstrip()
        if not whole.strip():
            continue
        word, *others = whole.split(None, 1)
        word, rest = word.upper(), "".join(others)
        if word in ("RUN", "COPY", "ADD"):
            for dash, _quote, end in _HEREDOC.findall(rest):
                for _number, part in lines:
                    if (part.lstrip("\t") if dash else part).removesuffix("\r") == end:
                        break
        yield _Instruction(number, last, word, rest.strip())


def _skipped(line: str) -> bool:
    """Within a continued instruction, comments and empty lines are passed over."""
    return not line.strip() or line.strip().startswith("#")
