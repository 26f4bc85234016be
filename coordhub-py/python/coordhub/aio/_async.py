"""Calls that are awaited, on the native half."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from .. import _coordhub
from .._face import arguments, event_arguments, failure
from .._operations import Operation
from ._calls import Calls
from ._events import EventStream
from ._loop import Pending, bridge

T = TypeVar("T")


class FaceCalls(Calls):
    """Everything a hub can be asked, by one caller or by nobody in particular."""

    def __init__(self, caller: str | None, *, named: bool) -> None:
        self._opened: _coordhub.Face | None = None
        self._caller = caller
        self._named = named

    @property
    def _face(self) -> _coordhub.Face:
        if self._opened is None:
            raise RuntimeError(f"{self!r} is not open: use 'async with', or await it first")
        return self._opened

    def events(
        self,
        *,
        since: int | str | None = None,
        kinds: Iterable[str] | None = None,
        channels: Iterable[str] | None = None,
        entity_id: str | None = None,
    ) -> EventStream:
        """Everything that happens, as it happens, from now on; or from what follows ``since``, without a gap.

        ``since`` is a ``seq``, or the ``position`` of a stream or page before. ``kinds`` keeps only those; ``channels``
        keeps, of messages on channels, those on these.
        """
        args = event_arguments(since, kinds, channels, entity_id)
        try:
            return EventStream(self._face.events(args, self._caller))
        except _coordhub.Refused as refused:
            raise failure(refused) from None

    def _start(
        self, operation: Operation[T], args: dict[str, Any], idempotency_key: str | None = None
    ) -> Pending:
        """Begins an operation."""
        given = arguments(args)
        try:
            # Nothing else holds the ticket: when it is forgotten, it is gone.
            return bridge().start(
                self._face.submit(
                    operation.method,
                    operation.path,
                    given,
                    self._caller,
                    idempotency_key,
                    operation.role,
                )
            )
        except _coordhub.Refused as refused:
            raise failure(refused) from None

    async def _call(
        self, operation: Operation[T], args: dict[str, Any], idempotency_key: str | None = None
    ) -> T:
        pending = self._start(operation, args, idempotency_key)
        try:
            await pending.future
            return operation.read(pending.take())
        finally:
            # Whoever is cancelled has not taken it, even where it was there already.
            pending.forget()
