"""The record of alerts in the cluster, whatever others do to it."""

from virtual import virtual
from world import world

from reconciler.daemon.alerting import RECORD, RecordMap

PATH = f"/api/v1/namespaces/default/configmaps/{RECORD}"


@virtual
async def test_written_and_read_again() -> None:
    async with world() as made:
        record = RecordMap(made.cluster, "default")
        assert await record.read() is None
        await record.write("one")
        await record.write("two")
        assert await record.read() == "two"
        assert await RecordMap(made.new_cluster(), "default").read() == "two"


@virtual
async def test_deleted_edited_or_made_by_somebody_else_it_is_written_all_the_same() -> None:
    async with world() as made:
        record = RecordMap(made.cluster, "default")
        await record.write("one")
        await made.call("DELETE", PATH)
        await record.write("two")
        await made.patch(PATH, {"data": {"record": "mine"}})
        await record.write("three")
        assert await record.read() == "three"
        other = RecordMap(made.new_cluster(), "default")
        await other.write("four")
        assert await record.read() == "four"
        await made.patch(PATH, {"data": None})
        assert await record.read() is None
