"""What runs beside the daemon ends with it; what ends before is told."""

import asyncio
import logging

import pytest
from virtual import virtual

from reconciler.daemon.lasting import lasting


@virtual
async def test_what_fails_is_told_and_the_others_go_on_until_left(caplog: pytest.LogCaptureFixture) -> None:
    turns = 0

    async def fails() -> None:
        await asyncio.sleep(1)
        raise ArithmeticError("nobody foresaw this")

    async def works() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(1)
            turns += 1

    with caplog.at_level(logging.ERROR):
        async with lasting(fails(), works()):
            await asyncio.sleep(10.5)
        await asyncio.sleep(10)
    assert turns == 10
    (record,) = caplog.records
    assert "fails has ended" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ArithmeticError)
