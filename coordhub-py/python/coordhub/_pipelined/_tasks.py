# Written by generate.py from _calls: change those.
"""Tasks, and questions to humans, which are tasks too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from .. import _operations as op
from .._objects import Claim, Lease, Task, TaskDetails
from .._pending import Pending
from .._record import Page
from .._words import OnBlockerFailed, Order, Priority, TaskStatus
from ._base import Base


class TaskCalls(Base, Protocol):
    """Work: made, claimed by exactly one, finished."""

    def create_task(
        self,
        title: str,
        *,
        task_id: str | None = None,
        description: str | None = None,
        created_by: str | None = None,
        priority: Priority | None = None,
        requires_human: bool | None = None,
        requires_ai: bool | None = None,
        tags: Iterable[str] | None = None,
        capabilities: Iterable[str] | None = None,
        depends_on: Iterable[str] | None = None,
        max_attempts: int | None = None,
        retry_delay_seconds: int | None = None,
        not_before: datetime | timedelta | None = None,
        on_blocker_failed: OnBlockerFailed | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Task]:
        """Creates a task, under an id of one's own or one that is made."""
        args = {
            "title": title,
            "task_id": task_id,
            "description": description,
            "created_by": created_by,
            "priority": priority,
            "requires_human": requires_human,
            "requires_ai": requires_ai,
            "tags": tags,
            "capabilities": capabilities,
            "depends_on": depends_on,
            "max_attempts": max_attempts,
            "retry_delay_seconds": retry_delay_seconds,
            "not_before": not_before,
            "on_blocker_failed": on_blocker_failed,
            "metadata": metadata,
        }
        return self._call(op.CREATE_TASK, args, idempotency_key)

    def create_tasks(
        self,
        tasks: Iterable[Mapping[str, Any]],
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[tuple[Task, ...]]:
        """Creates up to 1,000 tasks, all or none. Each holds the arguments of ``create_task``."""
        args = {"tasks": tasks, "entity_id": entity_id}
        return self._call(op.CREATE_TASKS, args, idempotency_key)

    def tasks(
        self,
        *,
        status: TaskStatus | None = None,
        priority: Priority | None = None,
        requires_human: bool | None = None,
        tag: str | None = None,
        created_by: str | None = None,
        claimed_by: str | None = None,
        ready_for: str | None = None,
        entity_id: str | None = None,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Pending[Page[Task]]:
        """Tasks, in order of creation. ``ready_for`` keeps those that an entity could claim now."""
        args = {
            "status": status,
            "priority": priority,
            "requires_human": requires_human,
            "tag": tag,
            "created_by": created_by,
            "claimed_by": claimed_by,
            "ready_for": ready_for,
            "entity_id": entity_id,
            "after": after,
            "order": order,
            "limit": limit,
        }
        return self._call(op.TASKS, args)

    def get_task(
        self,
        task_id: str,
        *,
        wait_seconds: int | None = None,
        until: TaskStatus | None = None,
        entity_id: str | None = None,
    ) -> Pending[TaskDetails]:
        """One task, with its history.

        With ``wait_seconds``, at most 60, it is told when it gets to ``until`` (``completed`` where not given), or
        ends otherwise, or the time is up.
        """
        args = {
            "task_id": task_id,
            "wait_seconds": wait_seconds,
            "until": until,
            "entity_id": entity_id,
        }
        return self._call(op.GET_TASK, args)

    def update_task(
        self,
        task_id: str,
        *,
        entity_id: str | None = None,
        title: str | None = None,
        description: str | None = None,
        priority: Priority | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        note: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Task]:
        """Changes what a task says; ``None`` leaves a field as it is. ``note`` adds a note of how it goes."""
        args = {
            "task_id": task_id,
            "entity_id": entity_id,
            "title": title,
            "description": description,
            "priority": priority,
            "tags": tags,
            "metadata": metadata,
            "note": note,
        }
        return self._call(op.UPDATE_TASK, args, idempotency_key)

    def claim(
        self,
        task_id: str,
        *,
        entity_id: str | None = None,
        lease_seconds: int | None = None,
        claim_token: int | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Claim]:
        """Claims a task. Of any number that try, one wins; the others get ``AlreadyClaimed``.

        With ``lease_seconds`` the claim lapses unless it is renewed.
        """
        args = {
            "task_id": task_id,
            "entity_id": entity_id,
            "lease_seconds": lease_seconds,
            "claim_token": claim_token,
        }
        return self._call(op.CLAIM, args, idempotency_key)

    def claim_next(
        self,
        *,
        entity_id: str | None = None,
        capabilities: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        wait_seconds: int | None = None,
        lease_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Claim | None]:
        """Claims what comes next of what one can do, and waits up to ``wait_seconds`` for it; ``None`` for nothing.

        The claim has a lease, of 300 seconds where ``lease_seconds`` says nothing else.
        """
        args = {
            "entity_id": entity_id,
            "capabilities": capabilities,
            "tags": tags,
            "wait_seconds": wait_seconds,
            "lease_seconds": lease_seconds,
        }
        return self._call(op.CLAIM_NEXT, args, idempotency_key)

    def renew(
        self,
        task_id: str,
        *,
        claim_token: int | None = None,
        entity_id: str | None = None,
    ) -> Pending[Lease]:
        """Renews the lease of a task one holds."""
        args = {"task_id": task_id, "claim_token": claim_token, "entity_id": entity_id}
        return self._call(op.RENEW, args)

    def complete(
        self,
        task_id: str,
        *,
        result: Any = None,
        entity_id: str | None = None,
        claim_token: int | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Task]:
        """Completes a claimed task with a result: any JSON value. The same again changes nothing."""
        args = {
            "task_id": task_id,
            "result": result,
            "entity_id": entity_id,
            "claim_token": claim_token,
        }
        return self._call(op.COMPLETE, args, idempotency_key)

    def fail(
        self,
        task_id: str,
        *,
        reason: str | None = None,
        entity_id: str | None = None,
        claim_token: int | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Task]:
        """Gives a claimed task up as failed: it is tried again while ``max_attempts`` allows."""
        args = {
            "task_id": task_id,
            "reason": reason,
            "entity_id": entity_id,
            "claim_token": claim_token,
        }
        return self._call(op.FAIL, args, idempotency_key)

    def release(
        self,
        task_id: str,
        *,
        entity_id: str | None = None,
        claim_token: int | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Task]:
        """Gives a claimed task back: it is open again."""
        args = {"task_id": task_id, "entity_id": entity_id, "claim_token": claim_token}
        return self._call(op.RELEASE, args, idempotency_key)

    def reassign(
        self, task_id: str, *, entity_id: str | None = None, idempotency_key: str | None = None
    ) -> Pending[Task]:
        """Takes a task from its holder: its creator, or a human, may."""
        args = {"task_id": task_id, "entity_id": entity_id}
        return self._call(op.REASSIGN, args, idempotency_key)

    def cancel(
        self, task_id: str, *, entity_id: str | None = None, idempotency_key: str | None = None
    ) -> Pending[Task]:
        """Withdraws a task: its creator, or a human, may."""
        args = {"task_id": task_id, "entity_id": entity_id}
        return self._call(op.CANCEL, args, idempotency_key)

    def reopen(
        self, task_id: str, *, entity_id: str | None = None, idempotency_key: str | None = None
    ) -> Pending[Task]:
        """Opens a failed or cancelled task again."""
        args = {"task_id": task_id, "entity_id": entity_id}
        return self._call(op.REOPEN, args, idempotency_key)

    # Questions.

    def ask_question(
        self,
        question: str,
        *,
        asked_by: str | None = None,
        options: Iterable[str] | None = None,
        deadline: datetime | timedelta | None = None,
        default: str | None = None,
        priority: Priority | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Task]:
        """Asks whatever human finds it, and does not wait: the ``result`` of the task will be the answer.

        ``default`` is taken for the answer at the ``deadline``.
        """
        args = {
            "question": question,
            "asked_by": asked_by,
            "options": options,
            "deadline": deadline,
            "default": default,
            "priority": priority,
            "metadata": metadata,
        }
        return self._call(op.ASK_QUESTION, args, idempotency_key)

    def answer(
        self,
        task_id: str,
        answer: str,
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Task]:
        """Answers a question, as a human."""
        args = {"task_id": task_id, "answer": answer, "entity_id": entity_id}
        return self._call(op.ANSWER, args, idempotency_key)
