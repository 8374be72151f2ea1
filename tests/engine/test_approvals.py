"""What one commit or one person approves, and nothing more."""

from dataclasses import replace

from intercepted import hook, refusal
from texts import config, deployment
from virtual import virtual
from world import world

from reconciler.http.transport import Request, Response
from reconciler.model.change import Action

TEN = {f"{letter}.yaml": config(letter) for letter in "abcdefghij"}


@virtual
async def test_rule_11_a_trailer_approves_once() -> None:
    async with world() as w:
        repository = await w.started(TEN)
        bad = config("bad").replace("name: bad", "name: bad\n  namespace: nowhere")
        gone = dict.fromkeys(list(TEN)[:6])
        repository.commit({**gone, "bad.yaml": bad}, "Clean up\n\nReconciler-Allow-Prune: 6\n")
        assert (await w.sync()).count(Action.PRUNE) == 6
        repository.commit({f"{letter}.yaml": config(letter) for letter in "klmnop"})
        await w.sync()
        repository.commit({f"{letter}.yaml": None for letter in "klmnop"})
        assert (await w.sync()).count(Action.PRUNE) == 0, "the trailer was for other objects"


@virtual
async def test_rule_11_an_approval_by_trailer_survives_a_failure_halfway() -> None:
    broken = False

    async def fail_some(request: Request) -> Response | None:
        if broken and request.method == "DELETE" and request.path[-1] in "ab":
            return refusal(403, "Forbidden")
        return None

    async with world() as w:
        hook(w, fail_some)
        repository = await w.started(TEN)
        broken = True
        repository.commit(dict.fromkeys(list(TEN)[:6]), "Clean up\n\nReconciler-Allow-Prune: 6\n")
        assert (await w.sync()).count(Action.PRUNE) == 4
        broken = False
        await w.clock.sleep(5)
        result = await w.sources["shop"].work()
        assert result is not None
        assert result.count(Action.PRUNE) == 2


@virtual
async def test_rule_11_an_approval_by_hand_survives_a_failure() -> None:
    broken = False

    async def fail(request: Request) -> Response | None:
        return refusal(403, "Forbidden") if broken and request.method == "DELETE" else None

    async with world() as w:
        hook(w, fail)
        repository = await w.started(TEN)
        repository.commit(dict.fromkeys(list(TEN)[:6]))
        await w.sync()
        uids = frozenset(each.uid for each in (await w.state()).held)
        w.remember(lambda state: replace(state, approved=uids))
        broken = True
        w.sources["shop"].ask()
        await w.sync()
        broken = False
        w.sources["shop"].ask()
        assert (await w.sync()).count(Action.PRUNE) == 6


@virtual
async def test_rule_11_files_of_a_roll_out_are_no_mass_deletion() -> None:
    async with world(controllers=True) as w:
        specs = {
            f"{n}.yaml": deployment(n, extra="  files: {/etc/web: ./site.conf}\n  replicas: 1\n") for n in "abcdefg"
        }
        repository = await w.started({**specs, "site.conf": "one"})
        await w.clock.sleep(60)
        repository.commit({"site.conf": "two"})
        await w.sync()
        for _ in range(10):
            await w.clock.sleep(30)
            await w.sources["shop"].work()
        left = [i for i in w.cluster.cache.marked("shop") if i.kind == "ConfigMap"]
        assert len(left) == 7
