"""Everything a hub can do, once, with what it answers."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import coordhub
from coordhub import Hub, HubProtocol

TEXTS = [
    "plain",
    'a "quote"',
    "back\\slash",
    "\x00\x1f\x7f",
    "日本語 🚨 \u0301",
    " spaces ",
    "\u2028\u202e",
    "x" * 9_000,
]
VALUES: list[Any] = [
    {},
    {"a": [1, 2.5, None, True, {"b": "c"}], "": "empty key"},
    {"big": 2**80, "small": -(2**70), "long": 10**400, "exact": 0.1, "tiny": 5e-324},
    {text: text for text in TEXTS},
]


def test_registering(hub: HubProtocol) -> None:
    ada = hub.register(
        "ada", "claude_session", name="Ada", capabilities={"rust"}, metadata={"n": 1}
    )
    assert (ada.entity_id, ada.entity_type, ada.name) == ("ada", "claude_session", "Ada")
    assert (ada.capabilities, ada.metadata, ada.status) == (("rust",), {"n": 1}, "online")
    assert hub.get_entity("ada").registered_at == ada.registered_at
    again = hub.register("ada", "claude_session", capabilities=["rust", "sql"])
    assert again.capabilities == ("rust", "sql") and again.registered_at == ada.registered_at
    assert hub.heartbeat("ada", activity="reading") >= ada.last_seen
    assert hub.get_entity("ada").activity == "reading"
    hub.register("maria", "human")
    assert [entity.entity_id for entity in hub.entities()] == ["ada", "maria"]
    assert [entity.entity_id for entity in hub.entities(order="desc", limit=1)] == ["maria"]
    assert [entity.entity_id for entity in hub.entities(capability="sql")] == ["ada"]
    assert [entity.entity_id for entity in hub.entities(entity_type="human")] == ["maria"]
    hub.remove("maria")
    assert len(hub.entities()) == 1


def test_sending(people: HubProtocol) -> None:
    first = people.send("Hello", from_entity="ada")
    assert (first.channel, first.to_entity, first.message_type) == ("general", None, "text")
    # The sender itself is not counted; the others were heard of a moment ago.
    assert (first.recipients.online, first.recipients.offline) == (3, 0)
    reply = people.send("Hi", from_entity="gpt", reply_to=first.message_id, metadata={"k": "v"})
    assert (reply.thread_id, reply.reply_to) == (first.message_id, first.message_id)
    assert reply.seq == first.seq + 1 == people.state().head_seq
    assert reply.metadata["k"] == "v"
    people.send("Look", from_entity="gpt", channel="technical", message_type="alert")
    assert [message.content for message in people.recent()] == ["Hello", "Hi", "Look"]
    assert [message.content for message in people.recent(channel="technical")] == ["Look"]
    assert [message.content for message in people.recent(thread_id=first.thread_id)] == [
        "Hello",
        "Hi",
    ]
    assert people.get_message(first.message_id).content == "Hello"
    page = people.recent(after=0, limit=2)
    assert [message.content for message in page] == ["Hello", "Hi"] and page.next == reply.seq
    assert [message.content for message in people.recent(after=page.next)] == ["Look"]
    assert [message.content for message in people.recent(before=reply.seq)] == ["Hello"]
    assert len(people.recent(notices=True)) == 3 + 4
    technical = {channel.channel: channel for channel in people.channels(entity_id="ada")}[
        "technical"
    ]
    assert (technical.messages, technical.unread, technical.may_post) == (1, 1, True)


def test_direct_messages_and_reading(people: HubProtocol) -> None:
    secret = people.send("psst", from_entity="ada", to_entity="gpt")
    assert secret.channel is None
    public = people.send("news", from_entity="maria")
    assert [message.content for message in people.messages_for("gpt")] == ["psst", "news"]
    assert [message.content for message in people.messages_for("gpt", direct=True)] == ["psst"]
    assert [message.content for message in people.recent(entity_id="ada", with_="gpt")] == ["psst"]
    assert [message.content for message in people.recent(entity_id="maria")] == ["news"]
    assert people.get_message(secret.message_id, entity_id="gpt").content == "psst"
    people.mark_read(secret.seq, entity_id="gpt", direct=True)
    assert [message.content for message in people.messages_for("gpt", unread=True)] == ["news"]
    people.mark_read(public.seq, entity_id="gpt")
    assert not people.messages_for("gpt", unread=True)


def test_what_one_may_not_read_is_not_there(people: HubProtocol) -> None:
    secret = people.send("machines only", from_entity="ada", channel="ai-only")
    for reader in ["maria", "nobody", None]:
        assert not people.recent(entity_id=reader)
        assert not people.recent(entity_id=reader, channel="ai-only")
        assert "ai-only" not in [channel.channel for channel in people.channels(entity_id=reader)]
        with pytest.raises(coordhub.NotFound) as refused:
            people.get_message(secret.message_id, entity_id=reader)
        assert refused.value.code == "unknown_message"
    assert [message.content for message in people.recent(entity_id="cron")] == ["machines only"]
    with pytest.raises(coordhub.Forbidden) as forbidden:
        people.send("me too", from_entity="maria", channel="ai-only")
    assert forbidden.value.code == "channel_forbidden"


def test_the_life_of_a_task(people: HubProtocol) -> None:
    first = people.create_task("Build", created_by="ada", task_id="build", tags=["ci"])
    second = people.create_task("Deploy", depends_on=["build"], priority="high")
    assert (first.status, second.status, second.blocked_by) == ("open", "blocked", ("build",))
    assert [task.task_id for task in people.tasks(ready_for="gpt")] == ["build"]
    claim = people.claim("build", entity_id="gpt")
    assert (claim.status, claim.claimed_by, claim.already) == ("in_progress", "gpt", False)
    assert people.claim("build", entity_id="gpt").already
    with pytest.raises(coordhub.AlreadyClaimed) as lost:
        people.claim("build", entity_id="ada")
    assert (lost.value.claimed_by, lost.value.code) == ("gpt", "task_already_claimed")
    done = people.complete(
        "build", result={"ok": True}, entity_id="gpt", claim_token=claim.claim_token
    )
    assert (done.status, done.result) == ("completed", {"ok": True})
    assert done.completed_at is not None
    assert [task.task_id for task in people.tasks(status="open")] == [second.task_id]
    history = [event.kind for event in people.get_task("build").history]
    assert history[:3] == ["task_created", "task_claimed", "task_completed"]
    assert [task.task_id for task in people.tasks(tag="ci", claimed_by="gpt")] == ["build"]
    assert len(people.tasks(limit=1)) == 1 and len(people.tasks(created_by="ada")) == 1


def test_giving_a_task_up(people: HubProtocol) -> None:
    task_id = people.create_task("Try", created_by="ada").task_id
    old = people.claim(task_id, entity_id="gpt")
    assert people.release(task_id, entity_id="gpt").status == "open"
    new = people.claim(task_id, entity_id="ada")
    assert new.claim_token > old.claim_token
    with pytest.raises(coordhub.StaleClaim):
        people.complete(task_id, claim_token=old.claim_token)
    assert people.fail(task_id, reason="no luck", entity_id="ada").status == "failed"
    assert people.reopen(task_id, entity_id="ada").status == "open"
    assert (
        people.update_task(task_id, entity_id="ada", title="Try again", tags=[]).title
        == "Try again"
    )
    assert people.cancel(task_id, entity_id="ada").status == "cancelled"


def test_tasks_that_need_somebody(people: HubProtocol) -> None:
    human = people.create_task("Sign", requires_human=True).task_id
    with pytest.raises(coordhub.Forbidden) as refused:
        people.claim(human, entity_id="ada")
    assert refused.value.code == "requires_human"
    assert people.claim(human, entity_id="maria").claimed_by == "maria"
    able = people.create_task("Oxidize", capabilities=["rust"]).task_id
    with pytest.raises(coordhub.Forbidden) as unable:
        people.claim(able, entity_id="gpt")
    assert unable.value.facts["missing"] == ["rust"]


def test_a_vote(people: HubProtocol) -> None:
    proposal = people.create_proposal("Ship it?", proposed_by="ada", quorum=2, requires_human=True)
    assert set(proposal.electorate) == {"ada", "gpt", "maria"}
    assert (proposal.threshold, proposal.tally.eligible) == (0.75, 3)
    assert people.vote(proposal.proposal_id, "for", entity_id="ada").status == "open"
    people.vote(proposal.proposal_id, "for", entity_id="gpt", comment="yes")
    decided = people.vote(proposal.proposal_id, "for", entity_id="maria")
    assert decided.status == "approved" and decided.decided_at is not None
    assert (decided.tally.for_, decided.tally.against) == (3, 0)
    assert decided.to_dict()["tally"] == {"for": 3, "against": 0, "abstain": 0, "eligible": 3}
    assert [(vote.entity_id, vote.comment) for vote in decided.votes if vote.comment] == [
        ("gpt", "yes")
    ]
    assert people.get_proposal(proposal.proposal_id).status == "approved"
    with pytest.raises(coordhub.Conflict) as closed:
        people.vote(proposal.proposal_id, "against", entity_id="ada")
    assert closed.value.facts["proposal_status"] == "approved"


def test_deadlines_and_deciding_early(people: HubProtocol) -> None:
    soon = datetime.now(timezone(timedelta(hours=2))) + timedelta(hours=1)
    timed = people.create_proposal(
        "Soon?", deadline=soon, electorate=["human", "ada"], early_close=False
    )
    assert abs(timed.deadline - soon) < timedelta(milliseconds=1)
    assert set(timed.electorate) == {"maria", "ada"} and not timed.early_close
    with pytest.raises(coordhub.Conflict) as early:
        people.close_proposal(timed.proposal_id, entity_id="ada")
    assert early.value.code == "not_decided_yet"
    for entity_id in ["maria", "ada"]:
        people.vote(timed.proposal_id, "against", entity_id=entity_id)
    assert people.close_proposal(timed.proposal_id, entity_id="ada").status == "rejected"
    mine = people.create_proposal("Mine?", proposed_by="gpt", ttl_seconds=60, threshold=1)
    assert people.withdraw(mine.proposal_id, entity_id="gpt").status == "withdrawn"
    assert [proposal.title for proposal in people.proposals(status="withdrawn")] == ["Mine?"]
    with pytest.raises(coordhub.Invalid) as naive:
        people.create_proposal("When?", deadline=datetime(2030, 1, 1))
    assert naive.value.field == "deadline"


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_json_comes_back_as_it_went(people: HubProtocol, value: Any) -> None:
    task = people.create_task("Carry", metadata=value)
    assert task.metadata == value == people.get_task(task.task_id).metadata
    people.claim(task.task_id, entity_id="ada")
    assert people.complete(task.task_id, result=value).result == value
    sent = people.send("x", from_entity="ada", metadata=value)
    assert {**sent.metadata, "timestamp": None} == {**value, "timestamp": None}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_any_text_arrives_as_it_was_given(hub: HubProtocol, text: str) -> None:
    assert hub.send(text, from_entity="x").content == text
    assert hub.recent()[-1].content == text


def test_objects_are_frozen_and_plain_as_dicts(people: HubProtocol) -> None:
    claim = people.claim(people.create_task("Look", task_id="t").task_id, entity_id="ada")
    with pytest.raises(AttributeError):
        claim.title = "changed"  # type: ignore[misc]
    plain = json.loads(json.dumps(claim.to_dict()))
    assert plain["created_at"].endswith("Z") and plain["tags"] == [] and plain["result"] is None
    assert coordhub.Claim.from_dict(plain) == claim
    assert pickle.loads(pickle.dumps(claim)) == claim
    assert claim.created_at.utcoffset() == timedelta(0)
    assert repr(claim) == "Claim(task_id='t', title='Look', status='in_progress', claimed_by='ada')"
    shown = repr(people.send("Hi", from_entity="ada"))
    assert shown.startswith("Sent(seq=") and shown.endswith("channel='general', content='Hi')")


def test_opening_and_closing(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with Hub(path) as hub:
        epoch = hub.epoch
        hub.send("kept", from_entity="ada")
        with pytest.raises(coordhub.StoreError) as taken:
            Hub(str(path))
        assert taken.value.code == "store_in_use"
        assert not hub.closed
    assert hub.closed and "closed" in repr(hub) and hub.epoch == epoch
    hub.close()
    for call in [
        lambda: hub.recent(),
        lambda: hub.head_seq,
        lambda: hub.send("x", from_entity="a"),
    ]:
        with pytest.raises(coordhub.Unavailable) as closed:
            call()
        assert closed.value.code == "closed" and not closed.value.outcome_unknown
    # The file, what its words are found by, and nothing of SQLite's.
    names = {entry.name for entry in tmp_path.iterdir() if not entry.name.endswith(".lock")}
    assert names == {"hub.db", "hub.db.search"}
    with Hub(path) as again:
        assert (again.epoch, again.recent()[0].content) == (epoch, "kept")
