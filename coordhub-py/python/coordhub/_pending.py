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

    __slots__ = ("_is_seen", "_read", "_ticket")

    def __init__(self, ticket: _coordhub.Ticket, read: Callable[[dict[str, Any]], T]) -> None:
        self._ticket = ticket
        self._read = read
        self._is_seen = False

    def done(self) -> bool:
        """Whether it is there."""
        return self._ticket.done()

    def result(self, timeout: float | None = None) -> T:
        """Waits for it, and gives it, or raises what a refusal stands for.

        Raises ``TimedOut`` where ``timeout`` seconds went by; the call is under way all the same.
        """
        try:
            reply = self._ticket.result(timeout)
        except _coordhub.Refused as refused:
            self._is_seen = True
            raise failure(refused) from None
        except TimeoutError as late:
            raise TimedOut(str(late), "timed_out") from None
        return self._read(reply)

    def _settle(self) -> HubError | None:
        """Waits for it. The failure that nobody has seen, where it is one."""
        if not self._ticket.is_refused() or self._is_seen:
            return None
        try:
            self.result()
        except HubError as error:
            return error
        return None

    def __repr__(self) -> str:
        return f"<coordhub.Pending {'done' if self.done() else 'under way'}>"
