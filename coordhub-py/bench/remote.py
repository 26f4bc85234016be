"""The hub over the network, beside httpx and websockets against the same hub."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import websockets

import coordhub
from coordhub import aio
from figures import Row, Sizes, median

CONTENT = "load 00000: the quick brown fox jumps over the lazy dogs"
SERVE = """
import sys, coordhub
hub = coordhub.Hub(sys.argv[1])
unlimited = dict(changes_per_second=1_000_000, address_changes_per_second=1_000_000)
print(hub.serve("127.0.0.1:0", **unlimited).addresses[0], flush=True)
sys.stdin.read()
"""


def rows(sizes: Sizes) -> list[Row]:
    """All that is measured here."""
    return [_sends(sizes), _events(sizes)]


@contextmanager
def _served() -> Iterator[str]:
    """A hub in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", SERVE, str(Path(folder) / "hub.db")]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            process.kill()


def _sends(sizes: Sizes) -> Row:
    """One after the other, on one connection."""
    own, other = [], []
    with _served() as address:
        url = f"http://{address}"
        with coordhub.connect(url) as hub, httpx.Client(base_url=url) as client:

            def by_httpx() -> None:
                body = {"content": CONTENT, "from_entity": "bench-0"}
                client.post("/messages/send", json=body).raise_for_status().json()

            for _ in range(sizes.rounds):
                own.append(_rate(sizes.requests, lambda: hub.send(CONTENT, from_entity="bench-0")))
                other.append(_rate(sizes.requests, by_httpx))
    ratio = median([one / beside for one, beside in zip(own, other, strict=True)])
    return Row(
        "sends on one connection",
        f"{median(own):,.0f} messages/s",
        f"{median(other):,.0f} by httpx",
        f"{ratio:.2f}",
        "≥ 1",
    )


def _rate(times: int, call: Any) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        call()
    return times / (time.perf_counter() - begin)


def _events(sizes: Sizes) -> Row:
    """What it costs a client to take in so many events that are there already."""
    own, other = [], []
    with _served() as address:
        with coordhub.connect(f"http://{address}") as hub:
            message = {"content": CONTENT, "from_entity": "bench-0"}
            for _ in range(0, sizes.events, 500):
                hub.send_messages([message] * 500)
        for _ in range(sizes.rounds):
            own.append(asyncio.run(_by_coordhub(address, sizes.events)))
            other.append(asyncio.run(_by_websockets(address, sizes.events)))
    ratio = median([one / beside for one, beside in zip(own, other, strict=True)])
    return Row(
        "CPU of a client's process for an event",
        f"{median(own):.2f} µs",
        f"{median(other):.2f} µs by websockets and json",
        f"{ratio:.2f}",
        "< 1",
    )


async def _by_coordhub(address: str, wanted: int) -> float:
    async with aio.connect(f"http://{address}") as hub:
        seen, begin = 0, time.process_time()
        async for event in hub.events(since=0):
            seen += 1
            assert event.seq == seen
            if seen == wanted:
                break
        return (time.process_time() - begin) / wanted * 1e6


async def _by_websockets(address: str, wanted: int) -> float:
    uri = f"ws://{address}/ws/reader?since=0&channels=general&events=true"
    seen, begin = 0, time.process_time()
    async with websockets.connect(uri) as socket:
        async for text in socket:
            frame = json.loads(text)
            if frame["type"] in ("message", "event"):
                seen += 1
                assert frame["seq"] == seen
                if seen == wanted:
                    break
    return (time.process_time() - begin) / wanted * 1e6
