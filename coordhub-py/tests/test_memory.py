"""Nothing is kept of a call or an event that is over: counted in objects and blocks of Python's, and in bytes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

from coordhub import HubProtocol

# What is lost at each call would be lost so many times.
CALLS = 3_000


def grown(work: Callable[[], object]) -> tuple[int, int]:
    """By how many blocks of Python's, and bytes of the process, memory has grown at the second time."""
    work()
    gc.collect()
    blocks, resident = sys.getallocatedblocks(), bytes_resident()
    work()
    gc.collect()
    return sys.getallocatedblocks() - blocks, bytes_resident() - resident


def bytes_resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_calls_leave_nothing(people: HubProtocol) -> None:
    def call() -> None:
        for _ in range(CALLS):
            people.get_entity("ada")

    blocks, resident = grown(call)
    assert blocks < CALLS / 10 and resident < 1_000 * CALLS


def test_events_leave_nothing(people: HubProtocol) -> None:
    message = {"content": "x", "from_entity": "ada"}
    for _ in range(3):
        people.send_messages([message] * 1_000)

    def follow() -> None:
        with people.events(since=0, kinds=["message_sent"]) as events:
            for count, _ in enumerate(events, start=1):
                if count == CALLS:
                    break

    blocks, resident = grown(follow)
    assert blocks < CALLS / 10 and resident < 1_000 * CALLS
