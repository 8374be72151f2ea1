"""The work queue: one worker a key, nothing lost, nothing done twice for nothing."""

import asyncio

from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.daemon.queue import WorkQueue


@virtual
async def test_a_key_added_twice_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    await queue.add("a")
    await queue.add("a")
    await queue.add("b")
    assert await queue.get() == "a"
    assert await queue.get() == "b"
    assert len(queue) == 0


@virtual
async def test_a_key_added_while_it_is_worked_on_is_worked_on_again_but_never_at_the_same_time() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    await queue.add("a")
    assert await queue.get() == "a"
    await queue.add("a")
    again = asyncio.ensure_future(queue.get())
    await asyncio.sleep(1)
    assert not again.done()
    await queue.done("a")
    assert await again == "a"


@virtual
async def test_the_soonest_of_several_delays_wins() -> None:
    clock = LoopClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    await queue.add("a", delay=60)
    await queue.add("a", delay=5)
    await queue.add("a", delay=600)
    assert await queue.get() == "a"
    assert clock.monotonic() == 5
    await queue.done("a")
    rest = asyncio.ensure_future(queue.get())
    await asyncio.sleep(3600)
    assert not rest.done()
    await queue.close()
    assert await rest is None


@virtual
async def test_an_immediate_add_replaces_a_delayed_one() -> None:
    clock = LoopClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    await queue.add("a", delay=60)
    await queue.add("a")
    assert await queue.get() == "a"
    assert clock.monotonic() == 0
    await queue.done("a")
    await asyncio.sleep(120)
    assert len(queue) == 0
    await queue.close()


@virtual
async def test_a_closed_queue_lets_every_worker_go_and_takes_nothing_more() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    workers = [asyncio.ensure_future(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    await queue.add("later", delay=10)
    await queue.close()
    assert await asyncio.gather(*workers) == [None, None, None]
    await queue.add("a")
    assert len(queue) == 0
