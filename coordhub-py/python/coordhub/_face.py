"""What goes to the native half, and what comes back: arguments made plain, refusals made errors."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from . import _coordhub
from ._errors import HubError, Invalid, error_of
from ._record import plain

# What the native half takes as it is.
_PLAIN = frozenset({str, int, bool, float})
# These hold JSON of the caller's own. Whatever is none is for the native half to refuse.
_OPEN = frozenset({"metadata", "result", "payload"})


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments that were given, plain."""
    return {
        name: value if type(value) in _PLAIN or name in _OPEN else _plain(name, value)
        for name, value in given.items()
        if value is not None
    }


def event_arguments(
    since: int | str | None,
    kinds: Iterable[str] | None,
    channels: Iterable[str] | None,
    entity_id: str | None,
) -> dict[str, Any]:
    """Those of a stream of events."""
    given = {
        "since": None if since is None else str(since),
        "kinds": None if kinds is None else ",".join(kinds),
        "channels": None if channels is None else ",".join(channels),
        "entity_id": entity_id,
    }
    return arguments(given)


def failure(refused: _coordhub.Refused) -> HubError:
    """The error that a refusal of the native half stands for."""
    problem = refused.args[0]
    return error_of(json.loads(problem) if isinstance(problem, str) else problem)


def _plain(name: str, value: Any) -> Any:
    try:
        return plain(value)
    except (ValueError, RecursionError) as why:
        detail = f"{name} {why}" if isinstance(why, ValueError) else f"{name} is nested too deep"
        raise Invalid(detail, "invalid_field", {"field": name}) from None
