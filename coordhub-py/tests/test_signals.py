"""Ctrl-C and forks, in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import program, server

# Each waits for a minute, in one way or another.
WAITS = {
    "call": "hub.claim_next(entity_id='a', wait_seconds=60)",
    "task": "hub.get_task(hub.create_task('x').task_id, wait_seconds=60)",
    "events": "next(iter(hub.events()))",
    "page": "hub.read_events(wait=60)",
    "inbox": "next(hub.entity('a').inbox())",
    "work": "hub.entity('a').work(print)",
    "ask": "hub.entity('a').ask('?')",
    "aio": "asyncio.run(waits())",
    "aio work": "asyncio.run(works())",
}
PROGRAM = """
import asyncio, os, signal, sys, threading, time, coordhub
from coordhub import aio

def opened():
    return coordhub.connect(sys.argv[1]) if "://" in sys.argv[1] else coordhub.Hub(sys.argv[1])

def aopened():
    return aio.connect(sys.argv[1]) if "://" in sys.argv[1] else aio.Hub(sys.argv[1])

async def waits():
    hub.close()
    async with aopened() as other:
        waiting.set()
        await other.claim_next(entity_id="a", wait_seconds=60)

async def works():
    hub.close()
    async with aopened() as other, other.entity("a") as me:
        waiting.set()
        await me.work(print)

def interrupt():
    '''Once the main thread has stood at one place of a wait for a while.'''
    waiting.wait()
    places = []
    while len(places) < 10:
        time.sleep(0.005)
        frame = sys._current_frames()[threading.main_thread().ident]
        place = (os.path.basename(frame.f_code.co_filename), frame.f_lasti)
        if place[0] not in ("_sync.py", "_events.py", "_work.py", "selectors.py") or place not in places:
            places.clear()
        places.append(place)
    os.kill(os.getpid(), signal.SIGINT)

hub = opened()
waiting = threading.Event()
threading.Thread(target=interrupt, daemon=True).start()
try:
    if "asyncio" not in '''CALL''':
        waiting.set()
    CALL
    print("it came to an end", flush=True)
except KeyboardInterrupt:
    print("interrupted", hub.closed or hub.health().status, flush=True)
"""


@pytest.mark.parametrize("over", ["here", "network"])
@pytest.mark.parametrize("call", WAITS.values(), ids=WAITS)
def test_ctrl_c_ends_every_wait(call: str, over: str, tmp_path: Path) -> None:
    with server(tmp_path / "other.db") as served:
        place = served.url if over == "network" else str(tmp_path / "hub.db")
        with program(PROGRAM.replace("CALL", call), place) as waiting:
            # Each wait is one of a minute.
            output, errors = waiting.communicate(timeout=30)
    assert output.startswith("interrupted"), output + errors


FORK = """
import os, sys, coordhub
hub = coordhub.connect(sys.argv[1]) if "://" in sys.argv[1] else coordhub.Hub(sys.argv[1])
me = hub.entity("a")
stream = hub.events()
child = os.fork()
if child == 0:
    refused = 0
    for use in (hub.health, lambda: hub.send("x"), lambda: me.send("x"), lambda: stream.next(1), hub.events):
        try:
            use()
        except coordhub.Forked as error:
            assert error.code == "forked", error.code
            refused += 1
    del me, stream, hub
    print("child", refused, flush=True)
    sys.exit(0)
print("parent", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), hub.send("y", from_entity="a").seq, flush=True)
hub.close()
"""


@pytest.mark.parametrize("over", ["here", "network"])
def test_a_child_that_was_forked_is_refused(over: str, tmp_path: Path) -> None:
    with server(tmp_path / "other.db") as served:
        place = served.url if over == "network" else str(tmp_path / "hub.db")
        with program(FORK, place) as forking:
            output, errors = forking.communicate(timeout=60)
    assert output.splitlines() == ["child 5", "parent 0 2"], output + errors


KILLED = """
import sys, coordhub
hub = coordhub.connect(sys.argv[1])
def work(job):
    print(job.task_id, flush=True)
    sys.stdin.read()
hub.entity("victim").work(work, lease=5)
"""


def test_the_task_of_a_killed_worker_goes_to_another(tmp_path: Path) -> None:
    import coordhub

    with server(tmp_path / "hub.db") as served, coordhub.connect(served.url) as hub:
        with hub.entity("boss") as boss, hub.entity("heir") as heir:
            task = boss.create_task("Inherit")
            with program(KILLED, served.url) as victim:
                assert victim.stdout is not None
                assert victim.stdout.readline().strip() == task.task_id
                victim.kill()
                victim.communicate()
            worker = heir.worker(lease=30)(lambda job: f"attempt {job.attempts}").start()
            done = boss.wait_for_task(task.task_id, timeout=60)
            worker.stop()
            assert (done.claimed_by, done.result) == ("heir", "attempt 1")
