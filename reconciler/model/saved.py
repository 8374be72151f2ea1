"""A plan that was saved: what it was made of, and what it decided. schemas/saved-plan.json is its format."""

import hashlib
from typing import Final

import msgspec

from reconciler.errors import ConfigError
from reconciler.kube.names import Identity
from reconciler.model.filled import Record

FORMAT: Final = 1
ABSENT: Final = "absent"


class _Saved(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class _Named(_Saved, frozen=True):
    group: str
    kind: str
    namespace: str
    name: str

    @property
    def identity(self) -> Identity:
        return Identity(self.group, self.kind, self.namespace, self.name)


class SavedDecision(_Named, frozen=True):
    """What is filled in for a document."""

    record: Record


class SavedImage(_Named, frozen=True):
    """What an Image document means."""

    reference: str


class SavedChange(_Named, frozen=True):
    """What would be done to an object; `owned` is a hash of what we own in it, or "absent"."""

    action: str
    owned: str


class SavedPlan(_Saved, frozen=True):
    """`base_ref` is what the base was called; commits are whole ids. `planned`: somebody decided what specs leave open,
    with `pools` of nodes, by name. `id` is over all the rest. There is no value of a Secret in it."""

    format: int
    id: str
    version: str  # of reconciler
    install: str
    source: str
    paths: tuple[str, ...]
    namespace: str
    adopt: bool
    base_ref: str
    base: str
    head: str
    planned: bool
    pools: dict[str, dict[str, str]]
    decisions: tuple[SavedDecision, ...]
    images: tuple[SavedImage, ...]
    changes: tuple[SavedChange, ...]

    def sealed(self) -> "SavedPlan":
        """With its id."""
        bare = msgspec.structs.replace(self, id="")
        return msgspec.structs.replace(self, id=hashlib.sha256(bare.text().encode()).hexdigest())

    def text(self) -> str:
        """As the file has it."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1).decode() + "\n"

    @classmethod
    def of(cls, content: bytes, where: str) -> "SavedPlan":
        """What a file says. Raises ConfigError where it is no saved plan, or was changed."""
        hint = "`reconciler plan --base … --out FILE` writes one"
        try:
            if msgspec.json.decode(content, type=_Format).format != FORMAT:
                raise ConfigError("another format of saved plans", where=where, hint="plan again with this version")
            found = msgspec.json.decode(content, type=cls)
        except msgspec.DecodeError as error:
            raise ConfigError("this is no saved plan", where=where, why=str(error), hint=hint) from None
        if found != found.sealed():
            raise ConfigError("the plan was changed after it was saved", where=where, hint="plan again")
        return found


class _Format(msgspec.Struct):
    format: int
