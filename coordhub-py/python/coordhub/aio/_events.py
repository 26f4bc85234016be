"""Following the log of a hub, natively to an event loop."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from .._errors import HubError
from .._events import Follower
from .._objects import Event
from ._loop import Pending, bridge

if TYPE_CHECKING:
    from typing_extensions import Self


class EventStream(Follower):
    """Every event once, in order: ``async for event in hub.events(): …``.

    It waits for what comes next, and goes on across a restart of the hub. It ends by ``close``, and when its hub is
    closed here. Where events were missed for good it raises ``HistoryGap``, and can be gone on with.
    """

    _pending: Pending | None = None

    async def next(self) -> Event | None:
        """The next event; ``None`` where the stream has ended. Cancelled, it loses none."""
        if self._pending is not None:
            raise RuntimeError("another coroutine waits for the next event of this stream")
        while not self._ready:
            if self._is_over():
                return None
            self._pending = bridge().start(self._native, self._add)
            try:
                await self._pending.future
            except HubError as error:
                if (ended := self._ended_by(error)) is not None:
                    raise ended
            finally:
                self._pending.forget()
                self._pending = None
        return self._take()

    def close(self) -> None:
        """Follows no more. Whoever waits for the next event is told that there is none."""
        self._end()
        if self._pending is not None and not self._pending.future.done():
            self._pending.future.set_result(None)

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
