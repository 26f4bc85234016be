"""The package against the contract: a method for each route, and an argument for each field."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import coordhub
from coordhub import _operations as operations
from coordhub import aio
from coordhub._operations import Operation

# What is for browsers, and what is a socket or a stream, which `events` stands for.
NOT_FOR_PROGRAMS = {
    ("GET", "/"),
    ("GET", "/assets/{file}"),
    ("GET", "/assets/views/{file}"),
    ("GET", "/docs"),
    ("GET", "/docs/{file}"),
    ("POST", "/session"),
    ("DELETE", "/session"),
    ("GET", "/events/stream"),
    ("GET", "/ws/{entity_id}"),
}
CALLS = Path(coordhub.__file__).parent / "_calls"


def table() -> dict[str, Operation[Any]]:
    """Every operation by its name in the table."""
    found = vars(operations).items()
    return {name: one for name, one in found if isinstance(one, Operation)}


def methods() -> dict[str, str]:
    """The source of every method by the operation it calls."""
    found = {}
    for file in sorted(CALLS.glob("_*.py")):
        for body in re.split(r"^    def ", file.read_text(), flags=re.MULTILINE)[1:]:
            for name in re.findall(r"self\._call\(\s*op\.(\w+)", body):
                assert name not in found, f"two methods call {name}"
                found[name] = body
    return found


def test_every_route_has_its_method() -> None:
    with coordhub.Hub(":memory:") as hub:
        document = hub.openapi()
    routes = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method in ("get", "post", "delete")
    }
    mine = {(one.method, one.path) for one in table().values()}
    assert routes - mine == NOT_FOR_PROGRAMS, "a route has no method"
    assert mine - routes == set(), "a method has no route"
    assert methods().keys() == table().keys()


def test_every_field_has_its_argument() -> None:
    with coordhub.Hub(":memory:") as hub:
        document = hub.openapi()
    called = methods()
    missing = []
    for name, operation in table().items():
        route = document["paths"][operation.path][operation.method.lower()]
        fields = {p["name"] for p in route.get("parameters", []) if p["in"] in ("query", "path")}
        body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
        fields |= body.get("schema", {}).get("properties", {}).keys()
        fields.discard("token_id" if operation.path.startswith("/entities") else "")
        missing += [f"{name}: {f}" for f in sorted(fields) if f'"{f}":' not in called[name]]
    # Who reads an entity makes no difference to what is seen of it.
    assert missing == ["GET_ENTITY: entity_id"]


def test_changes_take_idempotency_keys() -> None:
    for name, body in methods().items():
        operation = table()[name]
        signs_of_life = operation.path.endswith("/heartbeat")
        takes = operation.method == "POST" and name != "CHECK" and not signs_of_life
        if operation.method == "POST":
            assert ("idempotency_key: str | None = None" in body) == takes, name


def test_the_asynchronous_methods_are_the_same() -> None:
    for name, method in inspect.getmembers(coordhub.Hub, inspect.isfunction):
        if name.startswith("_"):
            continue
        other = getattr(aio.Hub, name)
        mine, its = inspect.signature(method), inspect.signature(other)
        assert mine.parameters.keys() == its.parameters.keys(), name
        assert inspect.iscoroutinefunction(other) or name in ("events", "entity"), name
