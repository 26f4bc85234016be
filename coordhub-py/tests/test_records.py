"""What comes back is what went in, and what the hub's objects promise."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from datetime import timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import coordhub

from conftest import KINDS, opened

# Any text, but for what is half of a character.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)
METADATA = st.dictionaries(
    TEXTS.filter(lambda key: key not in ("hub", "timestamp")), JSON, max_size=5
)
CHECKED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=KINDS)
def carrier(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[coordhub.HubProtocol]:
    with opened(request.param, tmp_path_factory.mktemp("carrier")) as hub:
        yield hub


@CHECKED
@given(metadata=METADATA, result=JSON)
def test_json_comes_back_as_it_went(
    carrier: coordhub.HubProtocol, metadata: dict[str, Any], result: Any
) -> None:
    task = carrier.create_task("Carry", metadata=metadata)
    found = carrier.get_task(task.task_id)
    assert same(found.metadata, metadata) and same(task.metadata, metadata)
    carrier.claim(task.task_id, entity_id="ada")
    done = carrier.complete(task.task_id, result=result, entity_id="ada")
    assert same(done.result, result) and same(carrier.get_task(task.task_id).result, result)


@CHECKED
@given(content=TEXTS.filter(bool))
def test_any_text_arrives_as_it_was_given(carrier: coordhub.HubProtocol, content: str) -> None:
    sent = carrier.send(content, from_entity="ada")
    assert sent.content == content == carrier.get_message(sent.message_id).content


@CHECKED
@given(metadata=METADATA)
def test_objects_are_frozen_plain_and_copied(
    carrier: coordhub.HubProtocol, metadata: dict[str, Any]
) -> None:
    task = carrier.create_task("Look", metadata=metadata)
    for again in [
        pickle.loads(pickle.dumps(task)),
        copy.copy(task),
        copy.deepcopy(task),
        coordhub.Task.from_dict(task.to_dict()),
    ]:
        assert (again, hash(again), repr(again)) == (task, hash(task), repr(task))
    plain = task.to_dict()
    plain["metadata"]["changed"] = True
    assert "changed" not in task.metadata
    for name in ("title", "unheard_of"):
        with pytest.raises(AttributeError):
            setattr(task, name, "changed")
        with pytest.raises(AttributeError):
            delattr(task, name)
    assert task.created_at.tzinfo == timezone.utc


def test_objects_can_be_made_for_tests() -> None:
    tally = coordhub.Tally(for_=1, against=0, abstain=0, eligible=3)
    assert (tally.for_, tally.to_dict()["for"]) == (1, 1)
    assert tally != coordhub.Tally(for_=2, against=0, abstain=0, eligible=3)
    assert repr(tally) == "Tally(for_=1, against=0, abstain=0, eligible=3)"
    with pytest.raises(TypeError):
        coordhub.Tally(votes=1)  # type: ignore[call-arg]


def test_pages_say_where_they_end(carrier: coordhub.HubProtocol) -> None:
    for number in range(5):
        carrier.send(f"page {number}", from_entity="pages", channel="pages")
    page = carrier.recent(channel="pages", after=0, limit=2)
    assert [message.content for message in page] == ["page 0", "page 1"]
    assert page.next == page[-1].seq and isinstance(page, tuple)
    again = pickle.loads(pickle.dumps(page))
    assert (again, again.next) == (page, page.next)
    events = carrier.read_events(since=0, limit=1)
    assert events.position == f"{events.epoch}:{events.next}" and events.gap is None
    lost = carrier.read_events(since="another:7")
    assert lost.gap is not None and lost.gap.reason == "other_history"


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types: 1, 1.0 and True are three things in JSON, though not to Python's ``==``."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)
