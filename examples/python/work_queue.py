"""Ten tasks and five workers, each a process. One of them is killed at its work.

A worker is a function; what it does is held under a lease of five seconds, which is renewed while it works. The killed one
falls silent, its lease lapses, and its task goes to another. Each task is done exactly once.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context

import coordhub

TASKS = 10
LEASE_SECONDS = 5
# Tasks of this run only.
TAG = f"dataset-{os.getpid()}"


def work(url: str, name: str, tag: str, seconds: float) -> None:
    """A worker's process: works until it is ended."""
    with coordhub.connect(url) as hub, hub.entity(name) as me:

        def process(job: coordhub.Job) -> str:
            time.sleep(seconds)  # The work.
            return f"done by {name}"

        me.work(process, tags=[tag], lease=LEASE_SECONDS)


@contextmanager
def served() -> Iterator[str]:
    """Where the hub is: the one that COORDHUB_URL names, or one that is served here."""
    if url := os.environ.get("COORDHUB_URL"):
        yield url
    else:
        with coordhub.Hub(":memory:") as hub:
            yield hub.serve("127.0.0.1:0").url


def main() -> None:
    """Runs it."""
    # A process that is forked off has no use of its parent's hub.
    processes = get_context("spawn")
    with served() as url, coordhub.connect(url) as hub, hub.entity("boss") as boss:
        claims = boss.events(kinds=["task_claimed"])
        done = boss.events(kinds=["task_completed"])
        # All of them, or none.
        tasks = boss.create_tasks(
            [
                {"title": f"Process dataset chunk {number}", "tags": [TAG]}
                for number in range(TASKS)
            ]
        )

        # One that takes its time, and will not live to finish.
        victim = processes.Process(target=work, args=(url, "worker-1", TAG, 3_600))
        victim.start()
        held = next(claims).data["task_id"]

        workers = [
            processes.Process(target=work, args=(url, f"worker-{number}", TAG, 0.3))
            for number in range(2, 6)
        ]
        for worker in workers:
            worker.start()
        victim.kill()  # SIGKILL: it cannot say goodbye.
        victim.join()
        print(
            f"worker-1 was killed while it held {boss.get_task(held).title}", flush=True
        )

        times: Counter[str] = Counter()
        for _ in tasks:
            data = next(done).data
            times[data["task_id"]] += 1
            print(f"{data['claimed_by']} did {data['title']}")
        for worker in workers:
            worker.terminate()
            worker.join()
        assert all(times[task.task_id] == 1 for task in tasks), times
        orphan = boss.get_task(held)
        assert orphan.attempts == 1 and orphan.claimed_by != "worker-1", orphan
        assert "lapsed" in [event.data.get("reason") for event in orphan.history]
        print(
            f"each was done once; {orphan.title} lapsed, and {orphan.claimed_by} did it"
        )


if __name__ == "__main__":
    main()
