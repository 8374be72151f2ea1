"""Drift that is told or paused, not healed, and how it is told."""

from texts import config
from virtual import virtual
from world import world

from reconciler.model.event import EventType

MAPS = "/api/v1/namespaces/shop/configmaps"


@virtual
async def test_alert_mode_is_not_overridden_by_the_next_commit() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a", drift="alert")})
        await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
        await w.settled()
        repository.commit({"b.yaml": config("b")})
        result = await w.sync()
        assert result.ok, {str(i): r.message for i, r in result.results.items()}
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "edited"}


@virtual
async def test_alert_mode_still_applies_what_git_changes() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a", drift="alert")})
        repository.commit({"a.yaml": config("a", "2", drift="alert")})
        assert (await w.sync()).ok
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "2"}


@virtual
async def test_alert_mode_tells_the_same_drift_once() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a", drift="alert")})
        await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
        for number in range(5):
            await w.patch(f"{MAPS}/a", {"metadata": {"annotations": {"x": str(number)}}})
            await w.settled()
        assert len(w.heard(EventType.DRIFTED)) == 1


@virtual
async def test_a_drifted_value_is_cut_in_what_is_told() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        await w.patch(f"{MAPS}/a", {"data": {"value": "x" * 100_000}})
        await w.settled()
        (event,) = w.heard(EventType.DRIFTED)
        assert len(event.message) < 1000
