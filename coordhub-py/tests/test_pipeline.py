"""Many calls under way on one thread."""

from __future__ import annotations

import pytest

import coordhub
from coordhub import HubProtocol


def test_answers_come_in_the_order_of_the_calls(hub: HubProtocol) -> None:
    with hub.entity("ada") as ada, ada.pipeline(under_way=16) as calls:
        pending = [calls.create_task(f"{number}") for number in range(100)]
        assert pending[50].result(30).title == "50" and pending[0].done()
    tasks = [one.result() for one in pending]
    assert [task.title for task in tasks] == [f"{number}" for number in range(100)]
    assert {task.created_by for task in tasks} == {"ada"}


def test_what_fails_is_told(hub: HubProtocol) -> None:
    with hub.pipeline() as calls:
        refused = calls.get_task("none")
        with pytest.raises(coordhub.NotFound):
            refused.result()
    calls = hub.pipeline()
    calls.get_task("none")
    sent = calls.send("x", from_entity="ada")
    with pytest.raises(coordhub.NotFound), calls:
        pass
    assert sent.result().content == "x", "one failure ends nothing else"
    with pytest.raises(KeyError), hub.pipeline() as calls:
        calls.get_task("none")
        raise KeyError("what ended the block is what is told")
    with pytest.raises(coordhub.Invalid):
        hub.pipeline().send("\ud800", from_entity="ada")


def test_an_answer_that_takes_too_long(hub: HubProtocol) -> None:
    calls = hub.pipeline()
    waiting = calls.claim_next(entity_id="ada", wait_seconds=60)
    with pytest.raises(coordhub.TimedOut):
        waiting.result(0)
    assert not waiting.done() and "under way" in repr(waiting)
    hub.create_task("Come")
    claim = waiting.result(30)
    assert claim is not None and claim.title == "Come"
