"""Following the log of a hub, natively to an event loop."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from .._errors import HubError
from .._events import Follower
from .._objects import Event
from ._loop import bridge

if TYPE_CHECKING:
    from typing_extensions import Self


class EventStream(Follower):
    """Every event once, in order: ``async for event in hub.events(): …``.

    It waits for what comes next, and goes on across a restart of the hub. It ends by ``close``, and when its hub is
    closed here. Where events were missed for good it raises ``HistoryGap``, and can be gone on with.
    """

    async def next(self) -> Event | None:
        """The next event; ``None`` where the stream has ended."""
        while not self._ready:
            if self._closed:
                return None
            try:
                found = await bridge().wait(self._native)
            except HubError as error:
                if self._closed or error.code == "closed":
                    self._closed = True
                    return None
                raise
            self._add(found)
        return self._take()

    def close(self) -> None:
        """Follows no more."""
        self._end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
