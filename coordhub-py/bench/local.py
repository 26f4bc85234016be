"""The hub in the process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from pathlib import Path

import coordhub
from coordhub import aio
from figures import Row, Sizes, median

CONTENT = "load 00000: the quick brown fox jumps over the lazy dogs"


def rows(sizes: Sizes, core: Path | None) -> list[Row]:
    """All that is measured here."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_sends(sizes, core, Path(folder)), _recent(sizes), _latency(sizes)]


def _sends(sizes: Sizes, core: Path | None, folder: Path) -> list[Row]:
    """Durable sends with many under way: the core's own and Python's in turn."""
    own, tickets, coroutines = [], [], []
    for turn in range(sizes.rounds):
        if core is not None:
            own.append(_of_core(sizes, core))
        tickets.append(_with_tickets(sizes, folder / f"tickets-{turn}.db"))
        coroutines.append(asyncio.run(_with_coroutines(sizes, folder / f"aio-{turn}.db")))
    beside = f"{median(own):,.0f} of the core" if own else "no --core given"

    def row(name: str, measured: list[float], wanted: str = "") -> Row:
        ratio = (
            median([one / other for one, other in zip(measured, own, strict=True)]) if own else 0
        )
        shown = f"{ratio:.2f}" if own else ""
        work = f"durable sends, {sizes.under_way} under way, {name}"
        return Row(work, f"{median(measured):,.0f} messages/s", beside, shown, wanted)

    return [row("by a pipeline", tickets, "≥ 0.50"), row("by coroutines", coroutines)]


def _of_core(sizes: Sizes, core: Path) -> float:
    millis = str(max(50, int(sizes.seconds * 1_000)))
    command = [str(core), "core", "--millis", millis, "--under-way", str(sizes.under_way)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["messages_per_second"])


def _with_tickets(sizes: Sizes, path: Path) -> float:
    with coordhub.Hub(path) as hub, hub.pipeline(sizes.under_way) as pipeline:
        sent, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < sizes.seconds:
            for _ in range(64):
                pipeline.send(CONTENT, from_entity="bench-0", channel="bench")
                sent += 1
        pipeline.drain()
        seconds = time.perf_counter() - begin
        assert hub.head_seq == sent, "each was sent once"
        return sent / seconds


async def _with_coroutines(sizes: Sizes, path: Path) -> float:
    async with aio.Hub(path) as hub:
        sent, begin = 0, time.perf_counter()

        async def send() -> None:
            nonlocal sent
            while time.perf_counter() - begin < sizes.seconds:
                await hub.send(CONTENT, from_entity="bench-0", channel="bench")
                sent += 1

        await asyncio.gather(*(send() for _ in range(sizes.under_way)))
        seconds = time.perf_counter() - begin
        assert hub.head_seq == sent, "each was sent once"
        return sent / seconds


def _recent(sizes: Sizes) -> Row:
    with coordhub.Hub(":memory:") as hub:
        hub.send_messages([{"content": CONTENT, "from_entity": "bench-0"} for _ in range(100)])
        micros: list[float] = []
        for _ in range(sizes.reads):
            begin = time.perf_counter()
            page = hub.recent(limit=50)
            micros.append((time.perf_counter() - begin) * 1e6)
            assert len(page) == 50
        return Row("recent(50)", f"{median(micros):.0f} µs", wanted="< 150 µs")


def _latency(sizes: Sizes) -> Row:
    """From the moment before a message is sent until an ``async for`` has it."""

    async def measure() -> list[float]:
        async with aio.Hub(":memory:") as hub:
            millis: list[float] = []
            stream = hub.events(kinds=["message_sent"])
            for _ in range(sizes.latencies):
                begin = time.perf_counter()
                sending = asyncio.create_task(hub.send(CONTENT, from_entity="bench-0"))
                async for _ in stream:
                    millis.append((time.perf_counter() - begin) * 1e3)
                    break
                await sending
            return millis

    millis = asyncio.run(measure())
    return Row("published until an async for has it", f"{median(millis):.3f} ms", wanted="< 1 ms")
