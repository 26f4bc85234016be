"""The hub under asyncio: native to the loop, and clean when it is cancelled."""

from __future__ import annotations

import asyncio
import gc
import select
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import coordhub
from coordhub import aio
from coordhub.aio._loop import bridge

Body = Callable[[aio.HubProtocol], Coroutine[Any, Any, None]]


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[aio.HubProtocol]:
    """A hub of one kind."""
    path = ":memory:" if kind == "memory" else folder / "hub.db"
    async with aio.Hub(path) as local:
        if kind != "remote":
            yield local
            return
        with await local.serve("127.0.0.1:0") as served:
            async with aio.connect(served.url) as remote:
                yield remote


@pytest.fixture
def run(kind: str, tmp_path: Path) -> Callable[[Body], None]:
    """Runs a coroutine with a hub."""

    def with_hub(body: Body) -> None:
        async def main() -> None:
            async with opened(kind, tmp_path) as hub:
                await asyncio.wait_for(body(hub), 60)

        asyncio.run(main())

    return with_hub


async def within(seconds: float, work: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(work, seconds)


def test_the_same_names_are_awaited(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        assert isinstance(hub, aio.HubProtocol)
        await hub.register("ada", "claude_session")
        sent = await hub.send("Hello", from_entity="ada")
        assert [message.message_id for message in await hub.recent()] == [sent.message_id]
        with pytest.raises(coordhub.NotFound):
            await hub.get_task("none")
        with pytest.raises(coordhub.Invalid) as refused:
            await hub.send("\ud800", from_entity="ada")
        assert refused.value.field == "content"
        many = await asyncio.gather(*(hub.send(f"{n}", from_entity="ada") for n in range(200)))
        assert [message.content for message in many] == [f"{n}" for n in range(200)]
        assert len({message.seq for message in many}) == 200

    run(body)


def test_no_thread_waits(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        await hub.health()
        before = threading.active_count()
        waits = [
            asyncio.create_task(hub.read_events(kinds=["task_created"], wait=60)) for _ in range(50)
        ]
        stream = hub.events()
        following = asyncio.create_task(stream.next())
        await hub.send("x", from_entity="ada")
        assert (await within(30, following)) is not None
        assert threading.active_count() == before
        for wait in waits:
            wait.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError)
            for end in await asyncio.gather(*waits, return_exceptions=True)
        )

    run(body)


def test_events_come_as_they_happen(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        await hub.send("before", from_entity="ada")
        contents: list[str] = []

        async def follow(since: int | str | None, until: str) -> str:
            async with hub.events(since=since, kinds=["message_sent"]) as events:
                async for event in events:
                    contents.append(event.data["content"])
                    if contents[-1] == until:
                        break
                return events.position

        following = asyncio.create_task(follow(0, "two"))
        for text in ("one", "two", "three"):
            await hub.send(text, from_entity="ada")
        position = await within(30, following)
        assert contents == ["before", "one", "two"]
        await within(30, follow(position, "three"))
        assert contents == ["before", "one", "two", "three"]
        with pytest.raises(coordhub.HistoryGap) as gap:
            await within(30, hub.events(since="another:3").next())
        assert gap.value.reason == "other_history" and gap.value.head_seq == 4

    run(body)


def test_a_stream_ends_when_it_is_closed(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        stream = hub.events()

        async def follow() -> int:
            return len([event async for event in stream])

        following = asyncio.create_task(follow())
        await hub.send("x", from_entity="ada")
        stream.close()
        await hub.send("y", from_entity="ada")
        assert await within(30, following) <= 1

    run(body)


def test_a_stream_that_is_cancelled_loses_nothing(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        stream = hub.events(since=0)
        seen: list[int] = []
        for number in range(50):
            following = asyncio.create_task(stream.next())
            sending = asyncio.create_task(hub.send(f"{number}", from_entity="ada"))
            for _ in range(number % 5):
                await asyncio.sleep(0)
            following.cancel()
            try:
                event = await following
                assert event is not None
                seen.append(event.seq)
            except asyncio.CancelledError:
                pass
            await sending
        while len(seen) < 50:
            event = await within(30, stream.next())
            assert event is not None
            seen.append(event.seq)
        assert seen == list(range(1, 51))

    run(body)


def test_a_claim_that_nobody_waits_for_is_given_back(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        async with hub.entity("gone") as gone, hub.entity("here") as here:
            waiting = asyncio.create_task(gone.claim_next(wait_seconds=60))
            await hub.health()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            task = await here.create_task("For whoever is there")
            claim = await here.claim_next(wait_seconds=30)
            assert claim is not None and claim.task_id == task.task_id

    run(body)


def test_a_claim_goes_back_where_its_answer_came_with_the_cancelling() -> None:
    async def main() -> None:
        async with aio.Hub(":memory:") as hub, hub.entity("gone") as gone, hub.entity("here") as me:
            task = await hub.create_task("For whoever is there")
            waiting = asyncio.create_task(gone.claim_next())
            await asyncio.sleep(0)
            # The loop does not run from here until the answer is there and nobody wants it.
            answers = bridge()
            assert select.select([answers._completions.fileno()], [], [], 30)[0]
            answers._drain()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            claim = await me.claim_next(wait_seconds=30)
            assert claim is not None and claim.task_id == task.task_id
            assert await gone.claim_next() is None

    asyncio.run(main())


def test_what_cannot_be_read_harms_no_other_call(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        long = 10**5_000 - 1
        stream = hub.events(since=0, kinds=["message_sent"])
        await hub.send("long", from_entity="ada", metadata={"n": long})
        await hub.send("short", from_entity="ada")
        found = await within(30, asyncio.gather(*(hub.recent() for _ in range(10))))
        assert all(messages[0].metadata["n"] == long for messages in found)
        events = [await within(30, stream.next()) for _ in range(2)]
        assert [event.data["content"] for event in events if event] == ["long", "short"]

    run(body)


def test_workers(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        async with hub.entity("boss") as boss, hub.entity("worker") as me:

            @me.worker(tags=["a"])
            async def awaited(job: aio.Job) -> str:
                await job.note("at it")
                if job.title == "bad":
                    raise ValueError("no")
                return job.title.upper()

            threaded = me.worker(tags=["b"])(lambda job: threading.current_thread().name)
            awaited.start()
            threaded.start()
            good, bad = await boss.create_tasks(
                [{"title": "good", "tags": ["a"]}, {"title": "bad", "tags": ["a"]}]
            )
            other = await boss.create_task("other", tags=["b"])
            assert (await boss.wait_for_task(good.task_id)).result == "GOOD"
            assert (await boss.wait_for_task(bad.task_id)).status == "failed"
            assert (await boss.wait_for_task(other.task_id)).result != threading.main_thread().name
            await asyncio.gather(awaited.stop(), threaded.stop())
            late = await boss.create_task("late", tags=["a"])
            assert (await boss.get_task(late.task_id)).status == "open"

    run(body)


def test_a_worker_outlives_a_hub_that_is_away_for_longer_than_its_lease(
    run: Callable[[Body], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise coordhub.Unreachable("nobody answers", "unreachable")

    async def body(hub: aio.HubProtocol) -> None:
        async with hub.entity("worker") as me:
            done: list[str] = []

            async def work(job: aio.Job) -> None:
                done.append(job.title)
                job._hold.is_called_off = True

            await me.create_tasks([{"title": "first"}, {"title": "second"}])
            with monkeypatch.context() as patch:
                patch.setattr(aio.EntityHandle, "complete", away)
                await me.work(work, until_idle=True)
            assert done == ["first", "second"]

    run(body)


def test_whatever_can_be_awaited_is_awaited(run: Callable[[Body], None]) -> None:
    class Called:
        async def __call__(self, job: aio.Job) -> str:
            return threading.current_thread().name

    async def body(hub: aio.HubProtocol) -> None:
        called = Called()
        async with hub.entity("worker") as me:
            for handler in (called, lambda job: called(job)):
                task = await me.create_task("Who runs it?")
                await me.work(handler, until_idle=True)
                ended = await me.get_task(task.task_id)
                assert ended.result == threading.current_thread().name

    run(body)


def test_a_handler_that_cancels_itself_fails_its_task(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        async with hub.entity("worker") as me:

            async def work(job: aio.Job) -> None:
                raise asyncio.CancelledError

            task = await me.create_task("Hopeless")
            await within(20, me.work(work, until_idle=True))
            assert (await me.get_task(task.task_id)).status == "failed"

    run(body)


def test_a_worker_that_died_keeps_nothing_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with aio.Hub(tmp_path / "hub.db") as hub:
            me = await hub.entity("worker")
            # No lease may be as short as this: the hub refuses to hand a task out.
            me.worker(lease=0)(lambda job: None).start()
            for _ in range(200):
                if "a worker ended" in caplog.text:
                    break
                await asyncio.sleep(0.01)
        assert hub.closed
        assert "a worker ended" in caplog.text

    asyncio.run(main())


def test_a_worker_that_is_cancelled_gives_back(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        async with hub.entity("worker") as me:
            begun, ended = asyncio.Event(), asyncio.Event()

            async def work(job: aio.Job) -> None:
                begun.set()
                try:
                    await asyncio.sleep(3_600)
                finally:
                    ended.set()

            task = await me.create_task("Interrupt")
            working = asyncio.create_task(me.work(work))
            await within(30, begun.wait())
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
            assert ended.is_set()
            found = await me.get_task(task.task_id)
            assert (found.status, found.attempts) == ("open", 0)

    run(body)


def test_a_lost_task_cancels_its_coroutine(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        async with hub.entity("boss") as boss, hub.entity("worker") as me:
            ends: list[bool] = []

            async def work(job: aio.Job) -> str:
                await boss.reassign(job.task_id)
                taken = await boss.claim(job.task_id)
                await boss.complete(taken.task_id, result="boss", claim_token=taken.claim_token)
                try:
                    await asyncio.sleep(3_600)
                finally:
                    ends.append(job.lost)
                return "worker"

            task = await boss.create_task("Slow")
            await me.work(work, lease=5, until_idle=True)
            found = await boss.get_task(task.task_id)
            assert (ends, found.result) == ([True], "boss")

    run(body)


def test_asking_proposing_and_reading(run: Callable[[Body], None]) -> None:
    async def body(hub: aio.HubProtocol) -> None:
        async with hub.entity("gpt") as gpt, hub.entity("maria", type="human") as maria:
            asking = asyncio.create_task(gpt.ask("Approve?", options=["yes", "no"], timeout=30))
            proposing = asyncio.create_task(gpt.propose("Ship?", quorum=1, timeout=30))
            news = maria.events(since=0, kinds=["task_created", "proposal_created"])
            for _ in range(2):  # Whichever comes first.
                event = await within(30, anext(news))
                if event.kind == "task_created":
                    await maria.answer(event.data["task"]["task_id"], "yes")
                else:
                    for voter in (maria, gpt):
                        await voter.vote(event.data["proposal"]["proposal_id"], "for")
            assert (await asking, (await proposing).status) == ("yes", "approved")
            await maria.send("one", to_entity="gpt", ack_required=True)
            read = []
            async for message in gpt.inbox():
                read.append(message.content)
                if len(read) == 1:
                    await maria.send("two", to_entity="gpt")
                else:
                    break
            assert read == ["one", "two"]
            assert [message.content async for message in gpt.inbox(wait=False)] == ["two"]
            assert (await gpt.attention()).acks_owed == ()

    run(body)


def test_what_is_not_open_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        hub = aio.Hub(tmp_path / "hub.db")
        with pytest.raises(RuntimeError, match="async with"):
            await hub.health()
        assert (await hub) is hub and not hub.closed
        me = await hub.entity("gpt")
        await me.send("x")
        await hub.close()
        assert hub.closed and "closed" in repr(hub)
        with pytest.raises(coordhub.Unavailable):
            await hub.health()
        with pytest.raises(coordhub.StoreError):
            await aio.Hub(tmp_path / "no" / "folder.db")

    asyncio.run(main())


def test_loops_come_and_go(tmp_path: Path) -> None:
    """One hub outlives many loops, and what joins it to a loop goes with that."""
    hub = aio.Hub(tmp_path / "hub.db")

    async def use() -> int:
        await hub
        waiting = asyncio.create_task(hub.read_events(kinds=["task_created"], wait=60))
        sent = await hub.send("x", from_entity="ada")
        waiting.cancel()
        return sent.seq

    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    assert [asyncio.run(use()) for _ in range(20)] == list(range(1, 21))
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) < descriptors + 20
    asyncio.run(hub.close())
