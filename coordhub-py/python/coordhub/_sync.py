"""Calls that wait for their answer, on the native half."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from . import _coordhub
from ._calls import Calls
from ._events import EventStream
from ._face import arguments, event_arguments, failure
from ._operations import Operation
from ._pipeline import Pipeline

T = TypeVar("T")


class FaceCalls(Calls):
    """Everything a hub can be asked, by one caller or by nobody in particular."""

    def __init__(self, face: _coordhub.Face, caller: str | None, *, named: bool) -> None:
        self._face = face
        self._caller = caller
        self._named = named

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

    def pipeline(self, under_way: int = 1_024) -> Pipeline:
        """The same methods with many calls under way at a time: ``with hub.pipeline() as calls: calls.send(…)``."""
        return Pipeline(self._face, self._caller, self._named, under_way)

    def _call(
        self, operation: Operation[T], args: dict[str, Any], idempotency_key: str | None = None
    ) -> T:
        given = arguments(args)
        try:
            reply = self._face.call(
                operation.method,
                operation.path,
                given,
                self._caller,
                idempotency_key,
                None,
                operation.role,
            )
        except _coordhub.Refused as refused:
            raise failure(refused) from None
        return operation.read(reply)
