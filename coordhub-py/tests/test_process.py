"""What a hub promises beyond one call: threads get on with their work, and what was answered stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import coordhub

SENDS_UNTIL_KILLED = """
import sys, coordhub
hub = coordhub.Hub(sys.argv[1])
for number in range(1_000_000):
    print(hub.send(f"message {number}", from_entity="sender").seq, flush=True)
"""


def test_the_gil_is_released_in_calls(tmp_path: Path) -> None:
    """With a switch interval of an hour, another thread runs only where a call lets it."""
    turns: list[int] = []
    begin = threading.Barrier(2)

    def send(number: int) -> None:
        begin.wait()
        for _ in range(50):
            turns.append(number)
            hub.send("x", from_entity=f"sender-{number}")

    before = sys.getswitchinterval()
    with coordhub.Hub(tmp_path / "hub.db") as hub:
        try:
            sys.setswitchinterval(3_600)
            threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        assert len(hub.recent(limit=1_000)) == 100
    changes = sum(one != other for one, other in zip(turns, turns[1:]))
    assert changes > 20, turns


def test_of_many_claims_one_wins(tmp_path: Path) -> None:
    workers, tasks = 8, 20
    won: list[str] = []

    def work(worker: str) -> None:
        for number in range(tasks):
            try:
                won.append(hub.claim(f"task-{number}", entity_id=worker).task_id)
            except coordhub.AlreadyClaimed as lost:
                assert lost.claimed_by != worker

    with coordhub.Hub(tmp_path / "hub.db") as hub:
        for number in range(tasks):
            hub.create_task("x", task_id=f"task-{number}")
        threads = [threading.Thread(target=work, args=(f"worker-{n}",)) for n in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(won) == sorted(f"task-{number}" for number in range(tasks))


def test_closing_in_the_middle_of_calls(tmp_path: Path) -> None:
    sent: list[int] = []
    ended = threading.Event()

    def send() -> None:
        try:
            while True:
                sent.append(hub.send("x", from_entity="sender").seq)
        except coordhub.Unavailable:
            ended.set()

    hub = coordhub.Hub(tmp_path / "hub.db")
    threading.Thread(target=send, daemon=True).start()
    while len(sent) < 5:
        pass
    hub.close()
    assert ended.wait(10)
    with coordhub.Hub(tmp_path / "hub.db") as again:
        assert again.head_seq == len(sent)


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    for _ in range(3):
        command = [sys.executable, "-c", SENDS_UNTIL_KILLED, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
            assert sender.stdout is not None
            answered = [int(sender.stdout.readline()) for _ in range(100)]
            sender.send_signal(signal.SIGKILL)
            answered += [int(line) for line in sender.stdout if line.endswith("\n")]
        assert sender.returncode == -signal.SIGKILL
        with coordhub.Hub(path) as hub:
            kept = [message.seq for message in hub.recent(limit=1_000)]
            assert set(answered) <= set(kept), "an answer was given for what is gone"
            assert kept == list(range(1, hub.head_seq + 1)), "the log has a hole"


def test_a_hub_that_nobody_closed_lets_the_process_end(tmp_path: Path) -> None:
    script = "import sys, coordhub; hub = coordhub.Hub(sys.argv[1]); hub.send('x', from_entity='a')"
    command = [sys.executable, "-c", script, str(tmp_path / "hub.db")]
    subprocess.run(command, check=True, timeout=30)
    with coordhub.Hub(tmp_path / "hub.db") as hub:
        assert hub.head_seq == 1
