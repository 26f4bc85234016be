# Written by generate.py from _calls: change those.
"""What the calls of all areas share."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from .._errors import Forbidden
from .._operations import Operation
from .._pending import Pending

T = TypeVar("T")


class Base(Protocol):
    """Somewhere to call: a hub in this process or elsewhere, as oneself or as nobody in particular."""

    _caller: str | None
    """Who calls, where that is known before it is said."""
    _named: bool
    """Whether the hub knows who calls without being told by each call."""

    def _call(
        self, operation: Operation[T], args: dict[str, Any], idempotency_key: str | None = None
    ) -> Pending[T]:
        """One operation. ``None`` among its arguments is the same as leaving it out."""
        ...

    def _self(self, entity_id: str | None) -> str:
        """The id that a path needs: one's own where none is given."""
        found = entity_id if entity_id is not None else self._caller
        if found is None:
            raise Forbidden("say who this is for, by entity_id", "caller_needed")
        return found
