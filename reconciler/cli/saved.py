"""Plans in files: `reconciler plan --base … --out FILE`, and `reconciler apply --plan FILE`."""

import argparse
from contextlib import AsyncExitStack
from pathlib import Path

from reconciler.cli.reviewing import Reviewing, commit_of, repository
from reconciler.cli.session import Session
from reconciler.engine.filling import Filler
from reconciler.engine.preview import Previewer
from reconciler.engine.wanting import Wanting
from reconciler.errors import ConfigError
from reconciler.model.config import SourceConfig
from reconciler.model.saved import SavedPlan
from reconciler.review.beside import new_messages
from reconciler.review.review import Review
from reconciler.review.saving import FrozenImages, FrozenPlanning, check_changes, check_revisions, saved, touched
from reconciler.source.repository import GitSource


async def write(args: argparse.Namespace, reviewing: Reviewing, review: Review) -> SavedPlan:
    """Save the plan of `review` as --out says. Raises ConfigError where it cannot be frozen."""
    it, planner = reviewing.it, reviewing.planner
    if it is None:
        hint = "leave out --offline and --snapshot"
        raise ConfigError("a plan is saved for the cluster that it is applied to", hint=hint)
    plan = await saved(
        review,
        it.cluster,
        reviewing.config,
        base_ref=args.base,
        install=await it.install(make=False),
        pools=planner.planning.pools if planner is not None else None,
    )
    Path(args.out).write_text(plan.text(), encoding="utf-8")  # noqa: ASYNC240 - once, at the end
    return plan


def read(file: str) -> SavedPlan:
    """Raises ConfigError."""
    try:
        return SavedPlan.of(Path(file).read_bytes(), file)
    except OSError as error:
        hint = "`reconciler plan --base … --out FILE` writes one"
        raise ConfigError("the plan cannot be read", where=file, why=error.strerror or "", hint=hint) from None


def planned_source(stack: AsyncExitStack, args: argparse.Namespace, plan: SavedPlan) -> tuple[SourceConfig, GitSource]:
    """The repository that PATH is in, at the commit that is checked out. Raises ConfigError."""
    stated = {"name": plan.source, "paths": plan.paths, "namespace": plan.namespace, "adopt": plan.adopt}
    return repository(stack, args, "HEAD", **stated)


async def check(args: argparse.Namespace, it: Session, config: SourceConfig, git: GitSource, plan: SavedPlan) -> None:
    """That all is as it was when `plan` was made. Raises ConfigError, saying what is not."""
    install = await it.install(make=False)
    check_revisions(plan, head=config.ref, base=commit_of(args, plan.base_ref), install=install)
    state = await it.state(plan.source)
    planning = FrozenPlanning(plan) if plan.planned else None
    owner = it.owner(plan.source, install)
    await it.scopes()
    wanting = Wanting(
        config,
        owner,
        git,
        scopes=it.cluster.discovery.scopes,
        fill=Filler(config, it.cluster, planning, it.store if state.kinds else None).fill,
        pools=plan.pools,
        images=FrozenImages(plan),
    )
    desired = await wanting.of(await git.snapshot(plan.head))
    changes = await Previewer(it.cluster, config, owner).changes(
        desired.snapshot,
        desired.specs,
        desired.manifests,
        state=state,
        messages=await new_messages(git, state, plan.base, plan.head),
    )
    check_changes(plan, await touched(changes, it.cluster))
