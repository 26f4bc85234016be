"""What joins the native half to an event loop: answers come by a file descriptor, and no thread waits for them."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from .. import _coordhub
from .._errors import error_of


class _Source(Protocol):
    def add_to(self, completions: _coordhub.Completions, token: int) -> None:
        """Has what comes handed out by ``completions``."""


class Pending:
    """Something that is to come."""

    __slots__ = ("_bridge", "_source", "_token", "future", "keep")

    def __init__(
        self, of: Bridge, source: _Source, token: int, keep: Callable[[Any], None] | None
    ) -> None:
        self._bridge = of
        self._source: _Source | None = source
        self._token = token
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.keep = keep

    def take(self) -> Any:
        """What came, or the error. It is the caller's now: a claim stays."""
        reply = self.future.result()
        if isinstance(self._source, _coordhub.Ticket):
            self._source.keep()
        return reply

    def forget(self) -> None:
        """Waits for it no more. What nobody took is nobody's, and a claim is given back."""
        self._bridge.forget(self._token)
        self._source = None


class Bridge:
    """Hands answers to the coroutines of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._completions = _coordhub.Completions()
        self._waiting: dict[int, Pending] = {}
        self._next_token = 0
        loop.add_reader(self._completions.fileno(), self._drain)

    def start(self, source: _Source, keep: Callable[[Any], None] | None = None) -> Pending:
        """Has what comes of ``source`` be the result of a future, or the error that a refusal stands for.

        ``keep`` gets it at once: whoever awaits the future may be cancelled at the very moment when it is done.
        """
        token = self._next_token = self._next_token + 1
        pending = self._waiting[token] = Pending(self, source, token, keep)
        source.add_to(self._completions, token)
        return pending

    def forget(self, token: int) -> None:
        """Waits no more for what came under a token."""
        if self._waiting.pop(token, None) is not None:
            self._completions.forget(token)

    def _drain(self) -> None:
        for token, succeeded, value in self._completions.drain():
            pending = self._waiting.pop(token, None)
            if pending is None:
                continue
            if succeeded and pending.keep is not None:
                pending.keep(value)
            if pending.future.done():
                continue
            if succeeded:
                pending.future.set_result(value)
            else:
                pending.future.set_exception(error_of(value))


_BRIDGES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = weakref.WeakKeyDictionary()


def bridge() -> Bridge:
    """That of the loop which runs. The loop keeps it, and it keeps no loop."""
    loop = asyncio.get_running_loop()
    found = _BRIDGES.get(loop)
    if found is None:
        found = _BRIDGES[loop] = Bridge(loop)
    return found
