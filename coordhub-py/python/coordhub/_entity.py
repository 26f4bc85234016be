"""An entity that takes part: it is there, and acts as itself."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _coordhub
from ._errors import Busy, Conflict, HistoryGap, HubError, RateLimited, Unavailable
from ._objects import Message, Proposal, Registered, Task
from ._sync import FaceCalls
from ._waits import answer_of, left_of, wait_seconds
from ._words import Priority
from ._work import Handler, Worker

if TYPE_CHECKING:
    from typing_extensions import Self


class EntityHandle(FaceCalls):
    """An entity that takes part, for as long as its handle is open.

    It can do all that a hub can, and needs not be named: whatever it does, it does as itself. In the background it says
    now and then that it is there.
    """

    def __init__(self, face: _coordhub.Face, known: Registered, heartbeat_seconds: float) -> None:
        super().__init__(face, known.entity_id, named=True)
        self._known = known
        self._workers: weakref.WeakSet[Worker] = weakref.WeakSet()
        self._stop_pulse = threading.Event()
        pulse = threading.Thread(
            target=_pulse,
            args=(face, known.entity_id, heartbeat_seconds, self._stop_pulse),
            name=f"coordhub-heartbeat-{known.entity_id}",
            daemon=True,
        )
        pulse.start()
        # A handle that nobody has any more says no longer that it is there.
        self._finish = weakref.finalize(self, self._stop_pulse.set)

    @property
    def entity_id(self) -> str:
        """Who it is."""
        return self._known.entity_id

    @property
    def known(self) -> Registered:
        """What the hub knew of it when it registered."""
        return self._known

    @property
    def token(self) -> str | None:
        """The token it was given, where it registered by an invite. It is told once: keep it for the next start."""
        return self._known.token

    # Working.

    def worker(
        self,
        *,
        tags: Iterable[str] | None = None,
        capabilities: Iterable[str] | None = None,
        lease: int = 60,
    ) -> Callable[[Handler], Worker]:
        """Makes a function the handler of a worker: ``@entity.worker(tags=["report"])``.

        ``run()`` of the worker claims one task after the other, those that carry all ``tags``, and hands each to the
        function, as ``start()`` does in the background. See ``Worker``.
        """
        wanted = None if tags is None else list(tags)
        able = None if capabilities is None else list(capabilities)

        def make(handler: Handler) -> Worker:
            worker = Worker(self, handler, wanted, able, lease)
            self._workers.add(worker)
            return worker

        return make

    def work(
        self,
        handler: Handler,
        *,
        tags: Iterable[str] | None = None,
        capabilities: Iterable[str] | None = None,
        lease: int = 60,
        until_idle: bool = False,
    ) -> None:
        """Works until it is stopped: ``worker(…)(handler).run()``."""
        self.worker(tags=tags, capabilities=capabilities, lease=lease)(handler).run(
            until_idle=until_idle
        )

    # Asking, and waiting for the answer.

    def ask(
        self,
        question: str,
        *,
        options: Iterable[str] | None = None,
        deadline: datetime | timedelta | None = None,
        default: str | None = None,
        priority: Priority | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Asks whatever human finds it, and waits for the answer.

        Raises ``Unanswered`` where there will be none, and ``TimedOut`` where ``timeout`` seconds went by: the question
        stands all the same. With the same ``idempotency_key`` it is the same question, so that a program that was
        started anew goes on waiting for the answer.
        """
        asked = self.ask_question(
            question,
            options=options,
            deadline=deadline,
            default=default,
            priority=priority,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        return answer_of(self.wait_for_task(asked.task_id, timeout=timeout))

    def wait_for_task(self, task_id: str, *, timeout: float | None = None) -> Task:
        """The task when it is completed, failed or cancelled. Raises ``TimedOut``."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            task = self.get_task(task_id, wait_seconds=wait_seconds(end))
            if task.status in ("completed", "failed", "cancelled"):
                return task
            left_of(end, f"task {task_id} was not finished in time")

    def propose(
        self,
        title: str,
        *,
        proposal_id: str | None = None,
        description: str | None = None,
        threshold: float | None = None,
        quorum: int | None = None,
        deadline: datetime | timedelta | None = None,
        ttl_seconds: int | None = None,
        electorate: Iterable[str] | None = None,
        requires_human: bool | None = None,
        early_close: bool | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Proposal:
        """Puts a question to the vote, and waits for the outcome, which is the ``status`` of the proposal.

        Raises ``TimedOut`` where ``timeout`` seconds went by; the proposal stands all the same.
        """
        made = self.create_proposal(
            title,
            proposal_id=proposal_id,
            description=description,
            threshold=threshold,
            quorum=quorum,
            deadline=deadline,
            ttl_seconds=ttl_seconds,
            electorate=electorate,
            requires_human=requires_human,
            early_close=early_close,
            idempotency_key=idempotency_key,
        )
        return self.wait_for_proposal(made.proposal_id, timeout=timeout)

    def wait_for_proposal(self, proposal_id: str, *, timeout: float | None = None) -> Proposal:
        """The proposal when it is decided or withdrawn. Raises ``TimedOut``."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            proposal = self.get_proposal(proposal_id, wait_seconds=wait_seconds(end))
            if proposal.status != "open":
                return proposal
            left_of(end, f"proposal {proposal_id} was not decided in time")

    # Reading.

    def inbox(self, *, direct: bool = False, wait: bool = True) -> Iterator[Message]:
        """What is unread, the oldest first, and then whatever comes; without ``wait`` it ends when all is read.

        A message is marked read when the loop asks for the next one, and acknowledged where it asks for that: what
        was not handled to the end, because the loop was left or the program died, comes again. ``direct`` keeps only
        what is addressed to the entity itself.
        """
        # It follows from before the first look, so that nothing comes unseen between a look and a wait.
        with self.events(kinds=["message_sent"]) as news:
            while True:
                unread = self.messages_for(unread=True, direct=direct or None)
                for message in unread:
                    yield message
                    if message.ack_required:
                        self._ack_where_asked(message)
                    self.mark_read(message.seq, direct=direct or None)
                if unread:
                    continue
                try:
                    if not wait or news.next() is None:
                        return
                except HistoryGap:
                    continue  # What was missed is looked for like all else.

    def _ack_where_asked(self, message: Message) -> None:
        try:
            self.ack(message.message_id)
        except Conflict:
            pass  # It asks others.

    # The handle itself.

    def close(self) -> None:
        """Stops its workers, and says no longer that it is there. The entity stays registered."""
        for worker in list(self._workers):
            worker.stop()
        self._stop_pulse.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<coordhub.EntityHandle {self.entity_id!r}>"


def _pulse(face: _coordhub.Face, entity_id: str, seconds: float, stopped: threading.Event) -> None:
    calls = FaceCalls(face, entity_id, named=True)
    while not stopped.wait(seconds):
        try:
            calls.heartbeat()
        except (Busy, RateLimited, Unavailable):
            if face.closed:
                return
        except HubError:
            return  # It was removed, or its token revoked.
