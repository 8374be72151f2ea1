"""Two revisions of a repository at random, and what else there is in the cluster."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from generated_slots import OVERLAYS, RBAC, SLOTS, Files, Object, configs, doc, pods
from hypothesis import strategies as st


class Approval(Enum):
    """Of deletions, by the trailer of a commit."""

    NONE = "none"
    EXACT = "exact"
    WRONG = "wrong"


class How(Enum):
    """How somebody else made an object."""

    CREATE = "create"
    KUBECTL = "kubectl apply"
    APPLY = "server-side apply"


@dataclass(frozen=True)
class Stranger:
    """An object that somebody else made before the first revision is applied."""

    how: How
    object: Object


@dataclass(frozen=True)
class Edit:
    """What somebody does between the two revisions to an object; None deletes it."""

    api: str
    resource: str
    patch: Object | None
    applied: bool = False  # by server-side apply, which owns what it states even where nothing changes


@dataclass(frozen=True)
class Pair:
    """`second` is all that there is then. `strict`: the guard lets one deletion pass."""

    first: Files
    second: Files
    paths: tuple[str, ...] = (".",)
    strict: bool = False
    approval: Approval = Approval.NONE
    strangers: tuple[Stranger, ...] = ()
    edits: tuple[Edit, ...] = ()
    adopt: bool = False
    others: tuple[Files, Files] | None = None

    @property
    def alone(self) -> bool:
        """Whether the first revision is all that the cluster is made of."""
        return not (self.strangers or self.edits or self.others)

    @property
    def settled(self) -> bool:
        """Whether somebody else made the source's namespace."""
        return bool(self.strangers or self.others)

    def __str__(self) -> str:
        texts = [f"{self.paths=} {self.strict=} {self.approval=} {self.adopt=}", *map(str, self.strangers)]
        texts += map(str, self.edits)
        revisions = {"first": self.first, "second": self.second}
        if self.others:
            revisions |= {"other first": self.others[0], "other second": self.others[1]}
        for revision, files in revisions.items():
            texts += [f"--- {revision}: {path}\n{text}" for path, text in sorted(files.items())]
        return "\n".join(texts)


STRANGERS = st.lists(
    st.builds(
        Stranger,
        st.sampled_from(How),
        st.sampled_from(
            [
                doc("v1", "ConfigMap", "x", data={"a": "theirs", "z": "1"}),
                doc("v1", "ConfigMap", "y", data={}),
                doc("v1", "Secret", "s", type="Opaque", data={"a": "eA=="}),
                doc("v1", "Service", "front", spec={"selector": {"app": "theirs"}, "ports": [{"port": 80}]}),
                doc(RBAC, "Role", "ci", rules=[]),
                doc("v1", "ServiceAccount", "robot"),
                doc(
                    "apps/v1",
                    "Deployment",
                    "app",
                    spec={"selector": {"matchLabels": {"app": "theirs"}}, "template": pods("theirs")},
                ),
            ]
        ),
    ),
    max_size=2,
    unique_by=lambda stranger: (stranger.object["kind"], stranger.object["metadata"]["name"]),
)
EDITS = st.lists(
    st.sampled_from(
        [
            Edit("api/v1", "configmaps/x", {"data": {"a": "edited"}}),
            Edit("api/v1", "configmaps/x", {"metadata": {"labels": {"note": "theirs"}}}),
            Edit("api/v1", "configmaps/x", {"data": {"a": "edited", "b": "1"}}, applied=True),
            Edit("apis/apps/v1", "deployments/web", {"spec": {"minReadySeconds": 5, "replicas": 1}}, applied=True),
            Edit("apis/apps/v1", "deployments/api", {"spec": {"template": {"spec": {"hostNetwork": False}}}}),
            Edit("api/v1", "configmaps/x", None),
            Edit("api/v1", "services/front", {"spec": {"selector": {"app": "edited"}}}),
            Edit("apis/apps/v1", "deployments/web", {"spec": {"replicas": 2}}),
            Edit("apis/apps/v1", "deployments/api", None),
            Edit("apis/apps/v1", "statefulsets/db", {"spec": {"replicas": 2}}),
            Edit(f"apis/{RBAC}", "roles/ci", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}),
        ]
    ),
    max_size=2,
    unique_by=lambda edit: edit.resource,
)
OTHERS = st.tuples(configs(), st.one_of(st.just({}), configs()))


class Beside(Enum):
    """What there is beside the two revisions."""

    NOTHING = "nothing"
    STRANGERS = "objects of others"
    EDITS = "edits by others"
    OTHERS = "another source"


@st.composite
def pairs(
    draw: st.DrawFn,
    slots: Iterable[str] = SLOTS,
    besides: Sequence[Beside] = (*Beside, Beside.NOTHING, Beside.NOTHING),
) -> Pair:
    """Both revisions hold some of the same slots."""
    first: Files = {}
    second: Files = {}
    for slot in draw(st.lists(st.sampled_from(sorted(slots)), min_size=1, max_size=6, unique=True)):
        fate = draw(st.integers(0, 9))
        before = draw(SLOTS[slot])
        first |= before if fate > 1 else {}
        if fate == 2:  # it stays as it is
            second |= before
        elif fate > 3 or fate < 2:
            second |= draw(SLOTS[slot])
    paths: tuple[str, ...] = (".",)
    if draw(st.integers(0, 4)) == 0:
        paths = ("base", "prod")
        first, second = (
            {f"base/{path}": each for path, each in files.items()}
            | {f"prod/{path}": each for path, each in draw(st.one_of(st.just({}), OVERLAYS)).items()}
            for files in (first, second)
        )
    beside = draw(st.sampled_from(besides))
    return Pair(
        first,
        second,
        paths,
        # What goes to another source does not count among the deletions, and a plan of one repository cannot know it.
        strict=beside is not Beside.OTHERS and draw(st.integers(0, 3)) == 0,
        approval=draw(st.sampled_from([*Approval, Approval.EXACT])) if beside is not Beside.OTHERS else Approval.NONE,
        strangers=tuple(draw(STRANGERS)) if beside is Beside.STRANGERS else (),
        edits=tuple(draw(EDITS)) if beside is Beside.EDITS else (),
        adopt=draw(st.integers(0, 5)) == 0,
        others=draw(OTHERS) if beside is Beside.OTHERS else None,
    )


PAIRS: Final = pairs()
