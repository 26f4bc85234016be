"""Whether memory stays where it was."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import coordhub
from coordhub import aio
from figures import Row, Sizes


def rows(sizes: Sizes) -> list[Row]:
    """All that is measured here."""
    return [_calls(sizes), asyncio.run(_events(sizes))]


def resident() -> int:
    """The bytes of this process that are in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _calls(sizes: Sizes) -> Row:
    with coordhub.Hub(":memory:") as hub:
        hub.register("bench", "service", metadata={"key": ["value"] * 10})

        def call(times: int) -> None:
            for _ in range(times):
                hub.get_entity("bench")

        call(sizes.calls // 10)
        before = resident()
        call(sizes.calls)
        return _row(f"{sizes.calls:,} calls", before)


async def _events(sizes: Sizes) -> Row:
    """The log grows by as many events; what is told of it, and how, must not stay in memory."""
    async with aio.Hub(":memory:") as hub:
        message = {"content": "x", "from_entity": "bench"}
        for _ in range(0, sizes.events, 500):
            await hub.send_messages([message] * 500)

        async def follow() -> None:
            seen = 0
            async for event in hub.events(since=0):
                seen += 1
                if event.seq >= sizes.events:
                    break
            assert seen == sizes.events

        await follow()
        before = resident()
        await follow()
        return _row(f"{sizes.events:,} events", before)


def _row(work: str, before: int) -> Row:
    grown = (resident() - before) / 1024
    return Row(
        f"memory of {work}", f"{grown:+,.0f} KiB", f"{before / 1024:,.0f} KiB before", "", "≈ 0"
    )
