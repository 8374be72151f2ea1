"""Texts with placeholders that users write: `$name`, `${name}`, and `$$` for a dollar sign. Nothing is evaluated."""

import re
import string
from collections.abc import Collection, Mapping
from typing import Final

_PLACEHOLDERS: Final = "placeholders here: {}"


class Template(string.Template):
    """A text with placeholders. A line all of whose placeholders are empty is left out, and so is an empty last line.

    A value is put in as it is, whatever it looks like: placeholders in it are not looked for.
    """

    idpattern = "[a-z]+"
    flags = re.NOFLAG  # $Name is no placeholder

    def filled(self, values: Mapping[str, str]) -> str:
        """Raises KeyError where a placeholder has no value, ValueError where `fault` would have found one."""
        lines = []
        for line in self.template.split("\n"):
            part = Template(line)
            names = part.get_identifiers()
            if not names or any(values[name] for name in names):
                lines.append(part.substitute(values))
        return "\n".join(lines).rstrip("\n")


def fault(text: str, known: Collection[str]) -> tuple[str, str] | None:
    """What is wrong with the template `text`, and a hint; None where nothing is. `known` are its placeholders."""
    template = Template(text)
    names = _PLACEHOLDERS.format(", ".join(f"${name}" for name in sorted(known)))
    if not template.is_valid():
        return "a $ begins no placeholder", f"write $$ for a dollar sign; {names}"
    for name in template.get_identifiers():
        if name not in known:
            return f"there is no placeholder ${name}", names
    return None
