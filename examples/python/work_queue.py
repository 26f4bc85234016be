"""Ten tasks and five workers, each a process. One of them is killed at its work.

A worker asks for whatever comes next, holds it under a lease of five seconds, and says now and then that it is still at
work. The killed one falls silent, its lease lapses, and its task goes to another. Each task is done exactly once.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from multiprocessing import Process

from hub import Refused, get, post

TASKS = 10
LEASE_SECONDS = 5
# Tasks of this run only.
TAG = f"dataset-{os.getpid()}"


def work(me: str, tag: str, steps: int) -> None:
    """Does what there is until nothing has come for longer than a lease."""
    post("/entities/register", entity_id=me, entity_type="ai_agent")
    while True:
        claim = post(
            "/tasks/claim-next",
            entity_id=me,
            tags=[tag],
            lease_seconds=LEASE_SECONDS,
            wait_seconds=LEASE_SECONDS + 2,
        )
        if claim["status"] == "none":
            return
        task, token = claim["task_id"], claim["claim_token"]
        try:
            for _ in range(steps):
                time.sleep(0.1)  # The work.
                post(f"/tasks/{task}/heartbeat", claim_token=token)
            post(f"/tasks/{task}/complete", claim_token=token, result=f"done by {me}")
        except Refused as why:
            # It was silent for too long, and the task may be another's.
            print(f"{me} lost {task}: {why}", flush=True)


def main() -> None:
    """Runs it."""
    chunks = [
        {"title": f"Process dataset chunk {number}", "tags": [TAG]} for number in range(TASKS)
    ]
    # All of them, or none.
    batch = post("/tasks/create-batch", tasks=chunks, created_by="boss")
    tasks = [task["task_id"] for task in batch["tasks"]]

    # One that takes its time, and will not live to finish.
    victim = Process(target=work, args=("worker-1", TAG, 10_000))
    victim.start()
    claimed = get("/events", since=batch["seq"], wait=30, kinds="task_claimed")["events"]
    held = claimed[0]["data"]["task_id"]

    workers = [Process(target=work, args=(f"worker-{number}", TAG, 3)) for number in range(2, 6)]
    for worker in workers:
        worker.start()
    victim.kill()  # SIGKILL: it cannot say goodbye.
    victim.join()
    print(f"worker-1 was killed while it held {get(f'/tasks/{held}')['title']}", flush=True)
    for worker in workers:
        worker.join()

    done = get("/events", since=batch["seq"], kinds="task_completed")["events"]
    times = Counter(event["data"]["task_id"] for event in done)
    for event in done:
        print(f"{event['data']['claimed_by']} did {event['data']['title']}")
    assert all(times[task] == 1 for task in tasks), times
    orphan = get(f"/tasks/{held}")
    assert orphan["attempts"] == 1 and orphan["claimed_by"] != "worker-1", orphan
    reasons = [event["data"].get("reason") for event in orphan["history"]]
    assert "lapsed" in reasons, reasons
    print(f"each was done once; {orphan['title']} lapsed, and {orphan['claimed_by']} did it")


if __name__ == "__main__":
    main()
