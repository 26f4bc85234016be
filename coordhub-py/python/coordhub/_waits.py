"""Waiting longer than one call may."""

from __future__ import annotations

import math
import time

from ._errors import TimedOut, Unanswered
from ._objects import Task

_CALL_WAITS_MAX = 60


def wait_seconds(end: float | None) -> int:
    """How long the next call is to wait, where all of it ends at ``end`` of the monotonic clock."""
    if end is None:
        return _CALL_WAITS_MAX
    return min(_CALL_WAITS_MAX, max(0, math.ceil(end - time.monotonic())))


def left_of(end: float | None, detail: str) -> None:
    """Raises ``TimedOut`` where nothing is left."""
    if end is not None and time.monotonic() >= end:
        raise TimedOut(detail, "timed_out")


def answer_of(question: Task) -> str:
    """The answer to a question that is finished."""
    if question.status != "completed":
        detail = f"question {question.task_id} is {question.status}, and has no answer"
        raise Unanswered(detail, "unanswered", {"task_id": question.task_id})
    return str(question.result)
