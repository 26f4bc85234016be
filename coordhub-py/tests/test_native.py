"""The native half alone: what it makes of JSON, of waits and of forks."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coordhub import _coordhub

SEND = ("POST", "/messages/send")


@pytest.fixture
def hub() -> Iterator[_coordhub.Local]:
    opened = _coordhub.Local(":memory:")
    opened.call("POST", "/entities/register", {"entity_id": "ada", "entity_type": "ai_agent"})
    yield opened
    opened.close()


def problem(error: pytest.ExceptionInfo[_coordhub.Refused]) -> dict[str, Any]:
    said: dict[str, Any] = error.value.args[0]
    return said


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        2**63 - 1,
        2**63,
        -(2**64),
        10**100,
        0.1,
        1e300,
        -0.0,
        5e-324,
        True,
        None,
        "",
        '\x00\x1f"\\/\u2028é😀',
        [],
        {},
        [1, [2, {"three": (4, 5)}]],
        {"": 1, "é": {"\n": "\t"}, "long" * 20: 2},
    ],
)
def test_what_python_says_in_json_comes_back(hub: _coordhub.Local, value: Any) -> None:
    sent = hub.call(*SEND, {"from_entity": "ada", "content": "x", "metadata": {"value": value}})
    found = hub.call("GET", "/messages/{message_id}", {"message_id": sent["message_id"]})
    expected = json.loads(json.dumps(value))
    got = found["metadata"]["value"]
    assert got == expected
    assert repr(got) == repr(expected)


@pytest.mark.parametrize(
    ("metadata", "detail"),
    [
        ({"a": float("nan")}, "at a: JSON has no NaN"),
        ({"a": [0, float("-inf")]}, "at a.1: JSON has no NaN"),
        ({"a": {1: 2}}, "at a: a name in JSON is a str"),
        ({"a": "\ud800"}, "at a: it holds half of a surrogate pair"),
        ({"a": object()}, "at a: JSON has nothing for an object of type object"),
        ({"a": {1, 2}}, "at a: JSON has nothing for an object of type set"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_name(
    hub: _coordhub.Local, metadata: dict[str, Any], detail: str
) -> None:
    with pytest.raises(_coordhub.Refused) as refused:
        hub.call(*SEND, {"from_entity": "ada", "content": "x", "metadata": metadata})
    assert problem(refused)["field"] == "metadata"
    assert detail in problem(refused)["detail"]


def test_what_stands_in_itself_is_refused(hub: _coordhub.Local) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(_coordhub.Refused) as refused:
        hub.call(*SEND, {"from_entity": "ada", "content": endless})
    assert problem(refused)["field"] == "content"
    assert "deep" in problem(refused)["detail"]


def test_tickets_are_done_in_the_order_in_which_they_were_asked_for(hub: _coordhub.Local) -> None:
    tickets = [
        hub.submit(*SEND, {"from_entity": "ada", "content": str(nth)}) for nth in range(1_000)
    ]
    seqs = [ticket.result()["seq"] for ticket in tickets]
    assert seqs == sorted(seqs)
    assert tickets[0].done()
    assert tickets[0].result() == tickets[0].result()


def test_completions_hand_out_what_comes_to_an_event_loop(hub: _coordhub.Local) -> None:
    completions = _coordhub.Completions()
    events = hub.events({"since": 0})
    events.add_to(completions, 1)
    hub.submit(*SEND, {"from_entity": "ada", "content": "x"}).add_to(completions, 2)
    hub.submit("GET", "/tasks/{task_id}", {"task_id": "none"}).add_to(completions, 3)
    waits = hub.submit("POST", "/tasks/claim-next", {"entity_id": "ada", "wait_seconds": 60})
    waits.add_to(completions, 4)
    completions.forget(4)
    found: dict[int, tuple[bool, Any]] = {}
    while len(found) < 3:
        select.select([completions.fileno()], [], [])
        found.update({token: (good, value) for token, good, value in completions.drain()})
    assert found[1][0]
    assert found[1][1][0]["kind"] == "entity_registered"
    assert (found[2][0], found[2][1]["status"]) == (True, "sent")
    assert (found[3][0], found[3][1]["code"]) == (False, "unknown_task")
    assert completions.drain() == []


def test_a_wait_ends_when_its_time_is_up_or_the_hub_is_closed(hub: _coordhub.Local) -> None:
    wait = {"entity_id": "ada", "wait_seconds": 60}
    with pytest.raises(TimeoutError):
        hub.call("POST", "/tasks/claim-next", wait, timeout=0.05)
    assert hub.events().next(0.05) == []
    answers: list[Any] = []

    def work() -> None:
        with contextlib.suppress(_coordhub.Refused):
            answers.append(hub.call("POST", "/tasks/claim-next", wait))

    waiting = threading.Thread(target=work)
    waiting.start()
    hub.close()
    waiting.join()
    # It may have come too late to begin.
    assert not answers or answers[0]["status"] == "none"


@pytest.mark.parametrize("what", ["call", "events", "ticket"])
def test_a_signal_ends_a_wait(hub: _coordhub.Local, what: str) -> None:
    wait = {"entity_id": "ada", "wait_seconds": 60}
    waits: dict[str, Callable[[], Any]] = {
        "call": lambda: hub.call("POST", "/tasks/claim-next", wait),
        "events": lambda: hub.events().next(),
        "ticket": lambda: hub.submit("POST", "/tasks/claim-next", wait).result(),
    }
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            waits[what]()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_forked_child_is_refused_and_ends(hub: _coordhub.Local) -> None:
    ticket = hub.submit(*SEND, {"from_entity": "ada", "content": "x"})
    events, completions = hub.events(), _coordhub.Completions()
    served = hub.serve("127.0.0.1:0")
    child = os.fork()
    if child == 0:
        # Whatever happens here, the child must not go on with the tests.
        status = 1
        try:
            uses = (
                lambda: hub.call("GET", "/health"),
                ticket.result,
                events.next,
                completions.drain,
                served.stop,
                lambda: hub.head_seq,
                lambda: hub.serve("127.0.0.1:0"),
                hub.close,
            )
            codes = []
            for use in uses:
                try:
                    use()
                except _coordhub.Refused as refused:
                    codes.append(refused.args[0]["code"])
            del hub, ticket, events, completions, served
            anew = _coordhub.Local(":memory:")
            anew.call(*SEND, {"from_entity": "ada", "content": "x"})
            follows = anew.events({"since": 0})
            good = codes == ["forked"] * len(uses) and len(follows.next()) == 1
            status = 0 if good else 2
        finally:
            sys.stdout.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ticket.result()["status"] == "sent"
    served.stop()
    assert hub.call("GET", "/health")["status"] == "active"


def test_a_service_that_stops_tells_whoever_waits_and_leaves_the_hub_open(
    hub: _coordhub.Local,
) -> None:
    served = hub.serve("127.0.0.1:0")
    remote = _coordhub.Remote(f"http://{served.addresses[0]}", {"entity": "ada"})
    waits = remote.submit("POST", "/tasks/claim-next", {"wait_seconds": 60})
    here = hub.submit("POST", "/tasks/claim-next", {"entity_id": "ada", "wait_seconds": 60})
    assert remote.call("GET", "/health")["status"] == "active"
    served.stop()
    assert not here.done()
    assert hub.call("GET", "/health")["status"] == "active"
    remote.close()
    with pytest.raises(_coordhub.Refused):
        remote.call("GET", "/health")
    # It was told that there is nothing, or did not come through before the end.
    with contextlib.suppress(_coordhub.Refused):
        assert waits.result()["status"] == "none"
    hub.close()
    assert here.result()["status"] == "none"


def test_options_of_serving_are_those_of_the_program(hub: _coordhub.Local) -> None:
    served = hub.serve("127.0.0.1:0", {"allow_host": ["a.example", "b.example"], "monitor": None})
    assert served.addresses
    served.stop()
    for options in ({"auth": "other"}, {"no_such": 1}, {"db": "x"}):
        with pytest.raises(_coordhub.Refused) as refused:
            hub.serve("127.0.0.1:0", options)
        assert problem(refused)["code"] == "invalid_field"
    # The one that is told of may be reached by nobody else.
    with pytest.raises(OSError, match="auth"):
        hub.serve("0.0.0.0:0")


def test_an_int_of_any_subclass_and_length_is_written_as_what_it_is(hub: _coordhub.Local) -> None:
    class Odd(int):
        def __repr__(self) -> str:
            return "odd"

        __str__ = __repr__

    for value in (7, 2**70, 10**5_000 + 3, -(10**5_000)):
        sent = {"from_entity": "ada", "content": "x", "metadata": {"n": Odd(value)}}
        made = hub.call(*SEND, sent)
        found = hub.call("GET", "/messages/{message_id}", {"message_id": made["message_id"]})
        assert found["metadata"]["n"] == value
    with pytest.raises(_coordhub.Refused) as refused:
        hub.call(*SEND, {"from_entity": "ada", "content": "x", "metadata": {"n": 1 << (1 << 23)}})
    assert problem(refused)["field"] == "metadata"


def test_a_claim_that_nobody_has_is_given_back(hub: _coordhub.Local) -> None:
    claim = ("POST", "/tasks/claim-next", {"entity_id": "ada"})
    hub.call("POST", "/tasks/create", {"title": "x"})
    ticket, completions = hub.submit(*claim), _coordhub.Completions()
    ticket.add_to(completions, 1)
    assert select.select([completions.fileno()], [], [], 30)[0]
    assert completions.drain()[0][1] and ticket.done()
    # It was handed to the loop, and whoever waited was cancelled in the same moment.
    del ticket
    again = hub.submit(*claim)
    assert again.result()["status"] == "claimed"
    del again
    assert hub.call(*claim)["status"] == "none"


def test_a_page_of_events_is_given_once(hub: _coordhub.Local) -> None:
    events = hub.events({"since": 0})
    seen: list[int] = []

    def follow() -> None:
        with contextlib.suppress(_coordhub.Refused):
            while found := events.next(30):
                seen.extend(event["seq"] for event in found)
                if len(seen) >= last:
                    events.close()

    last = hub.head_seq + 400
    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(400):
        hub.call(*SEND, {"from_entity": "ada", "content": f"{number}"})
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(seen) == list(range(1, last + 1))
