"""Answers that are asked for later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from . import _coordhub
from ._errors import HubError, TimedOut
from ._face import failure

T = TypeVar("T")


class Pending(Generic[T]):
    """The answer to a call that is under way."""

    __slots__ = ("_error", "_read", "_reply", "_seen", "_ticket")

    def __init__(self, ticket: _coordhub.Ticket, read: Callable[[dict[str, Any]], T]) -> None:
        self._ticket: _coordhub.Ticket | None = ticket
        self._read = read
        self._reply: Any = None
        self._error: HubError | None = None
        self._seen = False

    def done(self) -> bool:
        """Whether it is there."""
        return self._ticket is None or self._ticket.done()

    def result(self, timeout: float | None = None) -> T:
        """Waits for it, and gives it, or raises what a refusal stands for.

        Raises ``TimedOut`` where ``timeout`` seconds went by; the call is under way all the same.
        """
        self._settle(timeout)
        self._seen = True
        if self._error is not None:
            raise self._error
        return self._read(self._reply)

    def _settle(self, timeout: float | None = None) -> HubError | None:
        """Waits for it; the failure that nobody has seen, where it is one."""
        if self._ticket is not None:
            try:
                self._reply = self._ticket.result(timeout)
            except _coordhub.Refused as refused:
                self._error = failure(refused)
            except TimeoutError as late:
                raise TimedOut(str(late), "timed_out") from None
            self._ticket = None
        return None if self._seen else self._error

    def __repr__(self) -> str:
        return f"<coordhub.Pending {'done' if self.done() else 'under way'}>"
