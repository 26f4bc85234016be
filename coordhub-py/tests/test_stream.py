"""What a client over the network makes of a hub that is killed and started again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import coordhub
from coordhub import aio

from support import server

MESSAGES = 300


def sends(url: str, halfway: threading.Event) -> None:
    """Sends one message after the other, whatever becomes of the hub meanwhile."""
    with coordhub.connect(url, timeout=60) as hub:
        for number in range(MESSAGES):
            hub.send(f"{number}", from_entity="ada")
            if number == MESSAGES // 3:
                halfway.set()


def test_no_gap_and_no_repeat_across_kills(tmp_path: Path) -> None:
    with server(tmp_path / "hub.db") as served, coordhub.connect(served.url) as hub:
        halfway = threading.Event()
        seen: list[tuple[int, str]] = []

        def follow() -> None:
            for event in hub.events(since=0, kinds=["message_sent"]):
                seen.append((event.seq, event.data["content"]))
                if len(seen) == MESSAGES:
                    return

        threads = [
            threading.Thread(target=follow, daemon=True),
            threading.Thread(target=sends, args=(served.url, halfway), daemon=True),
        ]
        for thread in threads:
            thread.start()
        assert halfway.wait(60)
        for _ in range(3):
            served.kill()
            served.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
        assert [content for _, content in seen] == [f"{number}" for number in range(MESSAGES)]
        seqs = [seq for seq, _ in seen]
        assert seqs == sorted(set(seqs))


def test_the_same_for_asyncio(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.connect(served.url, timeout=60) as hub:
            seen: list[str] = []
            sent = 0

            async def follow() -> None:
                async for event in hub.events(since=0, kinds=["message_sent"]):
                    seen.append(event.data["content"])
                    if len(seen) == MESSAGES:
                        return

            async def send() -> None:
                nonlocal sent
                for number in range(MESSAGES):
                    await hub.send(f"{number}", from_entity="ada")
                    sent = number

            following, sending = asyncio.create_task(follow()), asyncio.create_task(send())
            while sent < MESSAGES // 3:
                await asyncio.sleep(0)
            await asyncio.to_thread(served.kill)
            await asyncio.to_thread(served.start)
            await asyncio.wait_for(asyncio.gather(following, sending), 120)
            assert seen == [f"{number}" for number in range(MESSAGES)]

    with server(tmp_path / "hub.db") as served:
        asyncio.run(main())


def test_a_worker_goes_on_after_a_restart(tmp_path: Path) -> None:
    with server(tmp_path / "hub.db") as served, coordhub.connect(served.url) as hub:
        with hub.entity("boss") as boss, hub.entity("worker") as me:
            begun, go_on = threading.Event(), threading.Event()

            def work(job: coordhub.Job) -> str:
                begun.set()
                assert go_on.wait(60)
                return "done"

            worker = me.worker(lease=60)(work).start()
            task = boss.create_task("Outlive")
            assert begun.wait(30)
            served.kill()
            go_on.set()
            served.start()
            done = boss.wait_for_task(task.task_id, timeout=60)
            assert (done.status, done.result, done.attempts) == ("completed", "done", 0)
            second = boss.create_task("Another")
            assert boss.wait_for_task(second.task_id, timeout=60).result == "done"
            worker.stop()


def test_a_hub_that_is_not_there(tmp_path: Path) -> None:
    with server(tmp_path / "hub.db") as served:
        url = served.url
    with coordhub.connect(url, timeout=1) as hub:
        for call in (hub.health, lambda: hub.send("x", from_entity="a")):
            try:
                call()
                raise AssertionError("nobody can have answered")
            except (coordhub.Unreachable, coordhub.TimedOut) as error:
                assert isinstance(error, coordhub.Unavailable)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that is no hub, and answers everything the same."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    one = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=one.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{one.server_port}"
    finally:
        one.shutdown()
        thread.join()
        one.server_close()


def test_a_stream_that_ended_by_an_error_says_so_again() -> None:
    with answering(401, b"") as url, coordhub.connect(url) as hub:
        events = hub.events(since=0)
        for _ in range(3):
            with pytest.raises(coordhub.HubError):
                events.next()
            assert events.closed
        events.close()
        assert events.next() is None

        native = hub._face.events({"since": "0"})
        for _ in range(3):
            with pytest.raises(coordhub._coordhub.Refused):
                native.next(1)

        async def main() -> None:
            async with aio.connect(url) as other:
                events = other.events(since=0)
                for _ in range(3):
                    with pytest.raises(coordhub.HubError):
                        await events.next()
                    assert events.closed

        asyncio.run(main())


def test_an_answer_that_is_no_json_is_a_failure_of_its_own() -> None:
    with answering(200, b"<html>") as url:
        with coordhub.connect(url) as hub, pytest.raises(coordhub.Unreachable) as refused:
            hub.recent()
        assert refused.value.outcome_unknown

        async def main() -> list[object]:
            async with aio.connect(url) as hub:
                calls = [hub.recent() for _ in range(20)]
                return list(await asyncio.gather(*calls, return_exceptions=True))

        came = asyncio.run(main())
        assert [type(one) for one in came] == [coordhub.Unreachable] * 20


def test_one_thread_at_a_time_waits_for_a_stream() -> None:
    with coordhub.Hub(":memory:") as hub, hub.events() as events:
        refused = threading.Event()
        many = threading.Barrier(2)

        def follow() -> None:
            many.wait()
            try:
                assert events.next() is None
            except RuntimeError:
                refused.set()
                events.close()

        threads = [threading.Thread(target=follow) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert refused.is_set()


def test_a_long_time_is_as_good_as_a_year(tmp_path: Path) -> None:
    with server(tmp_path / "hub.db") as served:
        with coordhub.connect(served.url, timeout=1e18) as hub:
            events = hub.events()
            sent = hub.send("x", from_entity="ada")
            event = events.next(60)
            assert event is not None and event.seq == sent.seq
