"""Refusals: the class to catch, the stable code, the facts."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import coordhub
from coordhub import Hub, HubProtocol
from coordhub._errors import _CLASSES, error_of

# No type that there is.
ROBOT: Any = "robot"

Case = tuple[Callable[[HubProtocol], Any], type[coordhub.HubError], str, str]

NOT_FOUND, CONFLICT, FORBIDDEN, INVALID = (
    coordhub.NotFound,
    coordhub.Conflict,
    coordhub.Forbidden,
    coordhub.Invalid,
)


def says(content: Any, **arguments: Any) -> Callable[[HubProtocol], Any]:
    """A message of ada's."""
    return lambda hub: hub.send(content, **{"from_entity": "ada", **arguments})


# The call, the class, the code, and the argument that is wrong.
CASES: list[Case] = [
    (lambda hub: hub.get_task("none"), NOT_FOUND, "unknown_task", ""),
    (lambda hub: hub.get_entity("none"), NOT_FOUND, "unknown_entity", ""),
    (lambda hub: hub.heartbeat("none"), NOT_FOUND, "unknown_entity", ""),
    (lambda hub: hub.get_proposal("none"), NOT_FOUND, "unknown_proposal", ""),
    (says("x", to_entity="none"), NOT_FOUND, "unknown_recipient", ""),
    (says("x", reply_to="none"), NOT_FOUND, "unknown_message", ""),
    (lambda hub: hub.register("ada", "human"), CONFLICT, "type_is_fixed", ""),
    (lambda hub: [hub.create_task("x", task_id="t") for _ in "12"], CONFLICT, "task_exists", ""),
    (lambda hub: hub.complete(hub.create_task("x").task_id), CONFLICT, "task_not_claimed", ""),
    (lambda hub: hub.recent(with_="ada"), FORBIDDEN, "caller_needed", ""),
    (says("x", message_type="task_x"), FORBIDDEN, "reserved_type", ""),
    (says("x", from_entity="a/b"), INVALID, "invalid_field", "from_entity"),
    (says("x", channel="No Such"), INVALID, "invalid_field", "channel"),
    (says("\ud800"), INVALID, "invalid_field", "content"),
    (says("x" * 300_000), INVALID, "too_large", "content"),
    (says("x", metadata={"n": float("nan")}), INVALID, "invalid_field", "metadata"),
    (says("x", metadata={1: 1, "1": 2}), INVALID, "invalid_field", "metadata"),
    (says("x", metadata=[]), INVALID, "invalid_field", "metadata"),
    (says(5), INVALID, "invalid_field", "content"),
    (lambda hub: hub.register("x", ROBOT), INVALID, "invalid_field", "entity_type"),
    (
        lambda hub: hub.register("x", "human", capabilities="rust"),
        INVALID,
        "invalid_field",
        "capabilities",
    ),
    (
        lambda hub: hub.create_task("x", depends_on=["none"]),
        INVALID,
        "invalid_field",
        "depends_on",
    ),
    (lambda hub: hub.create_task("x" * 600), INVALID, "invalid_field", "title"),
    (lambda hub: hub.recent(limit=0), INVALID, "invalid_field", "limit"),
    (lambda hub: hub.recent(limit=1_001), INVALID, "invalid_field", "limit"),
    (lambda hub: hub.recent(after=-1), INVALID, "invalid_field", "after"),
    (
        lambda hub: hub.mark_read(1, entity_id="ada", channel="general", direct=True),
        INVALID,
        "invalid_field",
        "direct",
    ),
    (lambda hub: hub.create_proposal("x", threshold=1.5), INVALID, "invalid_field", "threshold"),
    (lambda hub: hub.create_proposal("x", ttl_seconds=0), INVALID, "invalid_field", "ttl_seconds"),
]


@pytest.mark.parametrize(("call", "kind", "code", "field"), CASES, ids=range(len(CASES)))
def test_refusals(
    people: HubProtocol,
    call: Callable[[HubProtocol], Any],
    kind: type[coordhub.HubError],
    code: str,
    field: str,
) -> None:
    head = people.state().head_seq
    with pytest.raises(kind) as refused:
        call(people)
    error = refused.value
    assert (type(error), error.code) == (kind, code)
    assert len(error.detail) > 5 and str(error) == error.detail
    if field:
        assert isinstance(error, coordhub.Invalid) and error.field == field
        assert people.state().head_seq == head, "nothing was changed"
    # How it was carried here is nobody's business.
    assert error.__suppress_context__ and error.__cause__ is None
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, again.facts, str(again)) == (
        kind,
        code,
        error.facts,
        str(error),
    )


def test_loops_and_deep_values_are_refused(people: HubProtocol) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    for metadata in [loop, {"deep": deep}]:
        with pytest.raises(coordhub.Invalid) as refused:
            people.create_task("x", metadata=metadata)
        assert refused.value.field == "metadata"


def test_a_file_that_is_no_hub_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, and precious")
    with pytest.raises(coordhub.StoreError) as refused:
        Hub(path)
    assert refused.value.code in ("store_foreign", "store_damaged")
    assert path.read_text() == "not a database, and precious"
    with pytest.raises(coordhub.StoreError):
        Hub(tmp_path / "no" / "such" / "folder.db")


def test_every_code_of_the_hub_has_its_class() -> None:
    source = Path(__file__).resolve().parents[2] / "coordhub-core/src/hub/rejection.rs"
    codes = set(re.findall(r'=> "(\w+)",', source.read_text()))
    assert "task_already_claimed" in codes and len(codes) > 20
    assert codes <= _CLASSES.keys()
    unknown = error_of({"code": "from_the_future", "detail": "new", "field": "x"})
    assert (type(unknown), unknown.code) == (coordhub.HubError, "from_the_future")
    assert unknown.facts == {"field": "x"}
