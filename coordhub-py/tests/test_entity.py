"""Agents: who takes part and acts as itself, works, asks, proposes, reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import coordhub
from coordhub import EntityHandle, HubProtocol, Job


def in_background(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def kinds_of(hub: HubProtocol, task_id: str) -> list[str]:
    return [event.kind for event in hub.get_task(task_id).history]


def next_of(stream: coordhub.EventStream) -> coordhub.Event:
    event = stream.next(30)
    assert event is not None, "it did not happen"
    return event


def test_an_entity_acts_as_itself(hub: HubProtocol) -> None:
    with (
        hub.entity("gpt", capabilities=["python"]) as gpt,
        hub.entity("maria", type="human") as maria,
    ):
        assert (gpt.known.entity_type, gpt.known.capabilities) == ("ai_agent", ("python",))
        assert gpt.send("Hello").from_entity == "gpt"
        task = gpt.create_task("Look")
        assert task.created_by == "gpt"
        assert gpt.claim(task.task_id).claimed_by == "gpt"
        assert gpt.complete(task.task_id, result=1).claimed_by == "gpt"
        assert gpt.create_proposal("Ship?").proposed_by == "gpt"
        assert gpt.ask_question("Well?").created_by == "gpt"
        maria.send("Psst", to_entity="gpt")
        assert [message.content for message in gpt.messages_for(direct=True)] == ["Psst"]
        assert gpt.attention().entity_id == "gpt" == gpt.get_entity().entity_id
        assert gpt.reserve(["src/**"]).entity_id == "gpt"
        assert [one.free for one in maria.check(["src/a", "docs"])] == [False, True]
        assert gpt.hand_off("Over to you", to="maria").reservations != ()
        assert repr(gpt) == "<coordhub.EntityHandle 'gpt'>"
    assert {entity.entity_id for entity in hub.entities()} == {"gpt", "maria"}
    gpt.remove()
    with pytest.raises(coordhub.NotFound):
        hub.get_entity("gpt")


def test_a_handle_says_that_its_entity_is_there(hub: HubProtocol) -> None:
    with hub.entity("quick", heartbeat_seconds=0.01) as quick:
        before = quick.known.last_seen
        threads = [thread.name for thread in threading.enumerate()]
        assert "coordhub-heartbeat-quick" in threads
        # A question by nobody is no sign of life; each look comes to another's time until the pulse has come.
        while hub.get_entity("quick").last_seen <= before:
            pass
    for thread in threading.enumerate():
        if thread.name == "coordhub-heartbeat-quick":
            thread.join(10)
            assert not thread.is_alive()


def test_work_is_completed_with_what_a_function_returns(hub: HubProtocol) -> None:
    with hub.entity("worker") as me:

        @me.worker(tags=["count"], lease=30)
        def count(job: Job) -> dict[str, int]:
            """Counts words."""
            job.note("counting")
            if "fail" in job.description:
                raise ValueError("cannot count \ud800 that")
            assert not job.lost and job.claimed_by == "worker"
            return {"words": len(job.description.split())}

        good = me.create_task("Count", description="one two", tags=["count"])
        bad = me.create_task("Count", description="fail", tags=["count"])
        other = me.create_task("Not for it")
        count.run(until_idle=True)
        assert hub.get_task(good.task_id).result == {"words": 2}
        assert [note.note for note in hub.get_task(good.task_id).notes] == ["counting"]
        failed = hub.get_task(bad.task_id)
        assert failed.status == "failed"
        assert failed.history[-1].data["reason"] == "ValueError: cannot count ? that"
        assert hub.get_task(other.task_id).status == "open"
        assert count.__doc__ == "Counts words." and repr(count).startswith("<coordhub.Worker count")


def test_a_result_that_is_no_json_fails_the_task(hub: HubProtocol) -> None:
    with hub.entity("worker") as me:
        task = me.create_task("Return an object")
        me.work(lambda job: object(), until_idle=True)
        failed = hub.get_task(task.task_id)
        assert (failed.status, failed.history[-1].kind) == ("failed", "task_failed")
        assert "result" in failed.history[-1].data["reason"]


def test_workers_in_the_background_stop(hub: HubProtocol) -> None:
    with hub.entity("boss") as boss, hub.entity("worker") as me:
        worker = me.worker(tags=["t"])(lambda job: job.title.upper())
        worker.start().start()
        tasks = [boss.create_task(f"task {number}", tags=["t"]) for number in range(10)]
        for task in tasks:
            assert boss.wait_for_task(task.task_id).result == task.title.upper()
        worker.stop()
        late = boss.create_task("late", tags=["t"])
        assert boss.get_task(late.task_id, wait_seconds=0).status == "open"


def test_leases_are_renewed_while_a_function_runs(hub: HubProtocol) -> None:
    """The lease is of five seconds, and the work takes until the second renewal that was worth an event."""
    with hub.entity("worker") as me, hub.events(kinds=["lease_renewed"]) as renewals:
        task = me.create_task("Take long")
        me.work(lambda job: [next_of(renewals).kind for _ in range(2)], lease=5, until_idle=True)
        assert hub.get_task(task.task_id).result == ["lease_renewed"] * 2


def test_a_lost_task_is_not_completed(hub: HubProtocol) -> None:
    with hub.entity("boss") as boss, hub.entity("worker") as me:
        task = boss.create_task("Slow")
        seen: list[bool] = []

        def work(job: Job) -> str:
            boss.reassign(job.task_id)
            taken = boss.claim(job.task_id)
            while not job.lost:  # The next renewal is told.
                pass
            seen.append(job.lost)
            boss.complete(job.task_id, result="by the boss", claim_token=taken.claim_token)
            return "by the worker"

        me.work(work, lease=5, until_idle=True)
        found = hub.get_task(task.task_id)
        assert (seen, found.result, found.claimed_by) == ([True], "by the boss", "boss")
        assert kinds_of(hub, task.task_id).count("task_completed") == 1


def test_a_cancelled_task_is_lost(hub: HubProtocol) -> None:
    with hub.entity("boss") as boss, hub.entity("worker") as me:
        task = boss.create_task("Never mind")
        me.work(lambda job: boss.cancel(job.task_id) and "done", lease=5, until_idle=True)
        assert hub.get_task(task.task_id).status == "cancelled"


def test_a_worker_outlives_a_hub_that_is_away_for_longer_than_its_lease(
    hub: HubProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = EntityHandle.complete

    def away_at_first(self: EntityHandle, task_id: str, **given: Any) -> Any:
        if task_id == first.task_id:
            raise coordhub.Unreachable("nobody answers", "unreachable")
        return complete(self, task_id, **given)

    def work(job: Job) -> str:
        job._hold.is_called_off = job.task_id == first.task_id
        return "done"

    monkeypatch.setattr(EntityHandle, "complete", away_at_first)
    with hub.entity("worker") as me:
        first, second = me.create_task("first"), me.create_task("second")
        me.work(work, until_idle=True)
        assert me.get_task(first.task_id).status == "in_progress"
        assert me.get_task(second.task_id).result == "done"


def test_a_worker_runs_a_coroutine_to_its_end(hub: HubProtocol) -> None:
    async def work(job: Job) -> str:
        await asyncio.sleep(0)
        return job.title.upper()

    with hub.entity("worker") as me:
        task = me.create_task("good")
        me.work(work, until_idle=True)
        assert me.get_task(task.task_id).result == "GOOD"


def test_what_is_interrupted_is_given_back(hub: HubProtocol) -> None:
    with hub.entity("worker") as me:
        task = me.create_task("Interrupt")

        def interrupted(job: Job) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            me.work(interrupted)
        found = hub.get_task(task.task_id)
        assert (found.status, found.attempts) == ("open", 0)
        assert found.history[-1].data["reason"] == "released"


def test_a_human_answers(hub: HubProtocol) -> None:
    with hub.entity("gpt") as gpt, hub.entity("maria", type="human") as maria:
        news = hub.events(kinds=["task_created"])

        def answer() -> None:
            next_of(news)
            for question in maria.attention().questions:
                assert question.question is not None
                maria.answer(question.task_id, question.question.options[0])

        in_background(answer)
        assert gpt.ask("Approve $10K?", options=["yes", "no"], timeout=30) == "yes"


def test_a_question_that_is_asked_again_is_the_same(hub: HubProtocol) -> None:
    with hub.entity("gpt") as gpt, hub.entity("maria", type="human") as maria:
        with pytest.raises(coordhub.TimedOut) as late:
            gpt.ask("Approve?", idempotency_key="approval", timeout=0)
        assert isinstance(late.value, TimeoutError) and isinstance(late.value, coordhub.Unavailable)
        (question,) = maria.attention().questions
        maria.answer(question.task_id, "yes")
        assert gpt.ask("Approve?", idempotency_key="approval", timeout=30) == "yes"


def test_a_question_that_is_withdrawn_has_no_answer(hub: HubProtocol) -> None:
    with hub.entity("gpt") as gpt:
        news = hub.events(kinds=["task_created"])
        in_background(lambda: gpt.cancel(next_of(news).data["task"]["task_id"]))
        with pytest.raises(coordhub.Unanswered):
            gpt.ask("Anybody?", deadline=timedelta(days=1), default="no", timeout=30)


def test_a_proposal_is_waited_for(hub: HubProtocol) -> None:
    with hub.entity("gpt") as gpt, hub.entity("ada", type="claude_session") as ada:
        news = hub.events(kinds=["proposal_created"])

        def vote() -> None:
            proposal_id = next_of(news).data["proposal"]["proposal_id"]
            for voter in (ada, gpt):
                voter.vote(proposal_id, "for")

        in_background(vote)
        outcome = gpt.propose("Ship it?", quorum=2, timeout=30)
        assert (outcome.status, outcome.tally.for_) == ("approved", 2)


def test_the_inbox_acknowledges_what_was_handled(hub: HubProtocol) -> None:
    with hub.entity("gpt") as gpt, hub.entity("maria", type="human") as maria:
        maria.send("one", to_entity="gpt", ack_required=True)
        maria.send("two")
        sent = maria.send("three", to_entity="gpt")

        def contents(reader: EntityHandle, until: str) -> list[str]:
            read = []
            for message in reader.inbox():
                read.append(message.content)
                if message.content == until:
                    break
            return read

        assert contents(gpt, "three") == ["one", "two", "three"]
        # The loop was left in the middle of the last one.
        assert [message.content for message in gpt.inbox(wait=False)] == ["three"]
        assert list(gpt.inbox(wait=False)) == []
        assert gpt.attention().acks_owed == ()
        assert hub.receipts(sent.message_id, entity_id="maria").recipients[0].read
        in_background(lambda: maria.send("four", to_entity="gpt"))
        assert contents(gpt, "four") == ["four"]


def test_closing_a_hub_closes_its_handles(kind: str, tmp_path: Any) -> None:
    from conftest import opened

    with opened(kind, tmp_path) as hub:
        me = hub.entity("worker")
        worker = me.worker()(lambda job: None).start()
        stream = hub.events()
        ended = in_background(lambda: list(stream))
    ended.join(30)
    assert not ended.is_alive(), "a stream ends with its hub"
    worker.stop(30)
    assert not [thread for thread in threading.enumerate() if "-worker" in thread.name]
