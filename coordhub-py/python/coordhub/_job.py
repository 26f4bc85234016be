"""A task that a worker has in hand."""

from __future__ import annotations

import logging
import time
from typing import Any

from ._errors import Busy, Conflict, HubError, NotFound, RateLimited, Unavailable
from ._objects import Claim

log = logging.getLogger("coordhub")

_REASON_CHARACTERS_MAX = 10_000


class Hold:
    """Whether a claim is still its holder's."""

    __slots__ = ("_ends", "is_called_off", "is_stale", "seconds")

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.is_stale = False
        self.is_called_off = False
        self._ends = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the claim is another's, or could be."""
        return self.is_stale or self.is_called_off or time.monotonic() >= self._ends

    def renewed(self, asked_at: float) -> None:
        """The hub has renewed the lease, some time after it was asked to."""
        self._ends = asked_at + self.seconds


class BaseJob(Claim):
    """A claimed task, as its handler gets it."""

    __slots__ = ("_hold",)

    _hold: Hold

    @property
    def lost(self) -> bool:
        """Whether the claim is no longer one's own: its lease lapsed, the task was cancelled or reassigned.

        What the handler returns is then for nothing. One that works for long looks here now and then, and ends.
        """
        return self._hold.is_over


def job_of(kind: type[Any], claim: Claim, hold: Hold) -> Any:
    """The claim as a job."""
    job = kind.from_dict(claim.__dict__)
    object.__setattr__(job, "_hold", hold)
    return job


def is_passing(error: HubError) -> bool:
    """Whether the same call may do better in a while."""
    return isinstance(error, (Busy, RateLimited, Unavailable))


def is_loss(error: HubError) -> bool:
    """Whether the hub says that a claim is no longer one's own."""
    return isinstance(error, (Conflict, NotFound))


def reason_of(error: BaseException) -> str:
    """What the hub is told of a handler's exception."""
    try:
        said = str(error)
    except Exception:  # It is any program's, and may fail at that too.
        said = "it cannot be said why"
    text = f"{type(error).__name__}: {said}"[:_REASON_CHARACTERS_MAX]
    return text.encode("utf-8", "replace").decode("utf-8")
