"""What joins the native half to an event loop: answers come by a file descriptor, and no thread waits for them."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Protocol

from .. import _coordhub
from .._face import failure


class _Source(Protocol):
    def add_to(self, completions: _coordhub.Completions, token: int) -> None:
        """Has what comes handed out by ``completions``."""


class Bridge:
    """Hands answers to the coroutines of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._completions = _coordhub.Completions()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next_token = 0
        loop.add_reader(self._completions.fileno(), self._drain)

    async def wait(self, source: _Source) -> Any:
        """What comes of ``source``. Raises what a refusal stands for."""
        token = self._next_token = self._next_token + 1
        future = asyncio.get_running_loop().create_future()
        self._waiting[token] = future
        source.add_to(self._completions, token)
        try:
            return await future
        except asyncio.CancelledError:
            # What comes too late is nobody's.
            if self._waiting.pop(token, None) is not None:
                self._completions.forget(token)
            raise

    def _drain(self) -> None:
        for token, succeeded, value in self._completions.drain():
            future = self._waiting.pop(token, None)
            if future is None or future.done():
                continue
            if succeeded:
                future.set_result(value)
            else:
                future.set_exception(failure(_coordhub.Refused(value)))


_BRIDGES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = weakref.WeakKeyDictionary()


def bridge() -> Bridge:
    """That of the loop which runs. The loop keeps it, and it keeps no loop."""
    loop = asyncio.get_running_loop()
    found = _BRIDGES.get(loop)
    if found is None:
        found = _BRIDGES[loop] = Bridge(loop)
    return found
