"""An entity that takes part: it is there, and acts as itself."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import _coordhub
from .._errors import Busy, Conflict, HubError, RateLimited, Unavailable
from .._objects import Message, Proposal, Registered, Task
from .._operations import REGISTER
from .._waits import answer_of, left_of, wait_seconds
from .._words import Priority
from ._async import FaceCalls
from ._work import Handler, Worker

if TYPE_CHECKING:
    from typing_extensions import Self


class EntityHandle(FaceCalls):
    """An entity that takes part: ``async with hub.entity("gpt") as me``, or ``me = await hub.entity("gpt")``.

    It can do all that a hub can, and needs not be named: whatever it does, it does as itself. In the background it says
    now and then that it is there.
    """

    def __init__(
        self,
        face: _coordhub.Face,
        by_token: Callable[[str], _coordhub.Face],
        registration: Mapping[str, Any],
        heartbeat_seconds: float,
    ) -> None:
        super().__init__(str(registration["entity_id"]), named=True)
        self._registers_at = face
        self._by_token = by_token
        self._registration = dict(registration)
        self._heartbeat_seconds = heartbeat_seconds
        self._known: Registered | None = None
        self._pulse: asyncio.Task[None] | None = None
        self._workers: weakref.WeakSet[Worker] = weakref.WeakSet()

    @property
    def entity_id(self) -> str:
        """Who it is."""
        return str(self._caller)

    @property
    def known(self) -> Registered:
        """What the hub knew of it when it registered."""
        if self._known is None:
            raise RuntimeError(f"{self!r} is not open: use 'async with', or await it first")
        return self._known

    @property
    def token(self) -> str | None:
        """The token it was given, where it registered by an invite. It is told once: keep it for the next start."""
        return self.known.token

    # Working.

    def worker(
        self,
        *,
        tags: Iterable[str] | None = None,
        capabilities: Iterable[str] | None = None,
        lease: int = 60,
    ) -> Callable[[Handler], Worker]:
        """Makes a function the handler of a worker: ``@entity.worker(tags=["report"])``.

        ``await worker.run()`` claims one task after the other, those that carry all ``tags``, and hands each to the
        function, as ``start()`` does in the background. See ``Worker``.
        """
        wanted = None if tags is None else list(tags)
        able = None if capabilities is None else list(capabilities)

        def make(handler: Handler) -> Worker:
            worker = Worker(self, handler, wanted, able, lease)
            self._workers.add(worker)
            return worker

        return make

    async def work(
        self,
        handler: Handler,
        *,
        tags: Iterable[str] | None = None,
        capabilities: Iterable[str] | None = None,
        lease: int = 60,
        until_idle: bool = False,
    ) -> None:
        """Works until it is stopped or cancelled: ``worker(…)(handler).run()``."""
        worker = self.worker(tags=tags, capabilities=capabilities, lease=lease)(handler)
        await worker.run(until_idle=until_idle)

    # Asking, and waiting for the answer.

    async def ask(
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
        asked = await self.ask_question(
            question,
            options=options,
            deadline=deadline,
            default=default,
            priority=priority,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        return answer_of(await self.wait_for_task(asked.task_id, timeout=timeout))

    async def wait_for_task(self, task_id: str, *, timeout: float | None = None) -> Task:
        """The task when it is completed, failed or cancelled. Raises ``TimedOut``."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            task = await self.get_task(task_id, wait_seconds=wait_seconds(end))
            if task.status in ("completed", "failed", "cancelled"):
                return task
            left_of(end, f"task {task_id} was not finished in time")

    async def propose(
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
        made = await self.create_proposal(
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
        return await self.wait_for_proposal(made.proposal_id, timeout=timeout)

    async def wait_for_proposal(
        self, proposal_id: str, *, timeout: float | None = None
    ) -> Proposal:
        """The proposal when it is decided or withdrawn. Raises ``TimedOut``."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            proposal = await self.get_proposal(proposal_id, wait_seconds=wait_seconds(end))
            if proposal.status != "open":
                return proposal
            left_of(end, f"proposal {proposal_id} was not decided in time")

    # Reading.

    async def inbox(self, *, direct: bool = False, wait: bool = True) -> AsyncIterator[Message]:
        """What is unread, the oldest first, and then whatever comes; without ``wait`` it ends when all is read.

        A message is marked read when the loop asks for the next one, and acknowledged where it asks for that: what
        was not handled to the end, because the loop was left or the program died, comes again. ``direct`` keeps only
        what is addressed to the entity itself.
        """
        # It follows from before the first look, so that nothing comes unseen between a look and a wait.
        async with self.events(kinds=["message_sent"]) as news:
            while True:
                unread = await self.messages_for(unread=True, direct=direct or None)
                for message in unread:
                    yield message
                    if message.ack_required:
                        with suppress(Conflict):  # It may ask others.
                            await self.ack(message.message_id)
                    await self.mark_read(message.seq, direct=direct or None)
                if not unread and (not wait or await news.next() is None):
                    return

    # The handle itself.

    async def close(self) -> None:
        """Stops its workers, and says no longer that it is there. The entity stays registered."""
        try:
            for worker in list(self._workers):
                await worker.stop()
        finally:
            if self._pulse is not None:
                self._pulse.cancel()
                with suppress(asyncio.CancelledError):
                    await self._pulse
                self._pulse = None

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        if self._opened is None:
            self._opened = self._registers_at
            self._known = await self._call(REGISTER, self._registration)
            if self._known.token is not None:
                self._opened = self._by_token(self._known.token)
            self._pulse = asyncio.create_task(_beat(weakref.ref(self), self._heartbeat_seconds))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<coordhub.aio.EntityHandle {self.entity_id!r}>"


async def _beat(handle: weakref.ref[EntityHandle], seconds: float) -> None:
    """Says that an entity is there, for as long as somebody has its handle."""
    while True:
        await asyncio.sleep(seconds)
        entity = handle()
        if entity is None:
            return
        try:
            await entity.heartbeat()
        except (Busy, RateLimited, Unavailable):
            if entity._face.closed:
                return
        except HubError:
            return  # It was removed, or its token revoked.
        del entity
