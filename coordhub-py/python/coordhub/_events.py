"""Following the log of a hub."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _coordhub
from ._errors import HistoryGap, HubError
from ._face import failure
from ._objects import Event

if TYPE_CHECKING:
    from typing_extensions import Self


class Follower:
    """What was read of the log and not yet handed out."""

    def __init__(self, native: _coordhub.Events) -> None:
        self._native = native
        self._ready: deque[dict[str, Any]] = deque()
        self._position = native.position
        self._closed = False
        self._error: HubError | None = None

    @property
    def position(self) -> str:
        """Where to go on: ``since`` for another stream that is to begin after the last event this one gave."""
        return self._position

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    def _add(self, events: list[dict[str, Any]]) -> None:
        self._ready.extend(events)
        if not events:
            self._position = self._native.position

    def _take(self) -> Event:
        fields = self._ready.popleft()
        if fields.get("type") == "gap":
            self._position = self._native.position
            detail = "events were missed, for good: build anew what was built on events before"
            raise HistoryGap(detail, fields["reason"], fields)
        # Between two pages the native half knows better: it has passed what nobody may see.
        latest = self._native.position
        epoch = latest.rpartition(":")[0]
        self._position = f"{epoch}:{fields['seq']}" if self._ready else latest
        return Event.from_dict(fields)

    def _is_over(self) -> bool:
        """Whether nothing more comes. Raises what ended it, as often as somebody asks."""
        if self._closed and self._error is not None:
            raise self._error.with_traceback(None)
        return self._closed

    def _end(self) -> None:
        self._closed = True
        self._error = None
        self._native.close()

    def _ended_by(self, error: HubError) -> HubError | None:
        """Ends it. Why there is nothing more; ``None`` where it was closed here, which ends a stream quietly."""
        if self._closed or error.code == "closed":
            self._closed = True
            return None
        # A child that was forked off is told so each time by the native half.
        if error.code != "forked":
            self._closed = True
            self._error = error
        return error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} after {self._position}{' closed' if self._closed else ''}>"


class EventStream(Follower):
    """Every event once, in order: ``for event in hub.events(): …``.

    It waits for what comes next, and goes on across a restart of the hub. It ends by ``close``, and when its hub is
    closed here. Where events were missed for good it raises ``HistoryGap``, and can be gone on with.
    """

    def __init__(self, native: _coordhub.Events) -> None:
        super().__init__(native)
        self._turn = threading.Lock()

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event; ``None`` where ``timeout`` seconds went by, or the stream was closed.

        What ended it otherwise is raised, and raised again. One thread at a time may wait here.
        """
        # Not to be waited for: a signal's handler may ask in the thread that is being waited in.
        if not self._turn.acquire(blocking=False):
            raise RuntimeError("another thread waits for the next event of this stream")
        try:
            return self._next(timeout)
        finally:
            self._turn.release()

    def _next(self, timeout: float | None) -> Event | None:
        while not self._ready:
            if self._is_over():
                return None
            try:
                found = self._native.next(timeout)
            except _coordhub.Refused as refused:
                error = self._ended_by(failure(refused))
                if error is not None:
                    raise error from None
                return None
            self._add(found)
            if not found and timeout is not None:
                return None
        return self._take()

    def close(self) -> None:
        """Follows no more."""
        self._end()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
