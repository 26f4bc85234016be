"""Workers: one task after the other, each held for as long as it is worked on."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._errors import HubError, Invalid
from .._job import BaseJob, Hold, is_loss, is_passing, job_of, log, reason_of
from .._objects import Claim
from .._operations import CLAIM_NEXT

if TYPE_CHECKING:
    from ._entity import EntityHandle

_CLAIM_WAITS_SECONDS = 60
_TRIES_AGAIN_AFTER_SECONDS = (0.1, 5.0)


class Job(BaseJob):
    """A task that a worker has in hand: a claimed task that knows whether it is still one's own."""

    __slots__ = ("_entity",)

    async def note(self, note: str) -> None:
        """Notes how it goes, for whoever looks at the task."""
        await self._entity.update_task(self.task_id, note=note)

    if TYPE_CHECKING:
        _entity: EntityHandle


Handler = Callable[[Job], Any]
"""What a worker hands each task to: a function or a coroutine function. What it returns is the task's result."""


class Worker:
    """Claims one task after the other and hands each to a function, which may be a coroutine function.

    What the function returns completes the task, and must be JSON; an exception fails it, with that as the reason. The
    lease is renewed while the function runs. If it is lost all the same, a coroutine is cancelled; a plain function,
    which runs on a thread, finds ``job.lost`` set. Nothing is completed then. Cancelling ``run()`` gives the task in
    hand back, and so does Ctrl-C under ``asyncio.run``; ``stop()`` lets the function finish.
    """

    def __init__(
        self,
        entity: EntityHandle,
        handler: Handler,
        tags: list[str] | None,
        capabilities: list[str] | None,
        lease: int,
    ) -> None:
        self._entity = entity
        self._handler = handler
        self._tags = tags
        self._capabilities = capabilities
        self._lease = lease
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.__doc__ = handler.__doc__

    def __call__(self, job: Job) -> Any:
        """The function itself, with no hub between."""
        return self._handler(job)

    async def run(self, *, until_idle: bool = False) -> None:
        """Works until ``stop``, or until the hub is closed here; with ``until_idle`` until there is nothing to do."""
        while not self._stopped.is_set():
            claim = await self._next(0 if until_idle else _CLAIM_WAITS_SECONDS)
            if claim is not None:
                await self._do(claim)
            elif until_idle or self._entity._face.closed:
                return

    def start(self) -> Worker:
        """The same in the background. Each further start works on one more task at a time."""
        if self._stopped.is_set():
            raise RuntimeError("this worker was stopped; make another one")
        task = asyncio.create_task(self.run())
        task.add_done_callback(_log_death)
        self._tasks.add(task)
        return self

    async def stop(self) -> None:
        """Claims nothing more, and waits until what is in hand in the background is done."""
        self._stopped.set()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        self._tasks.difference_update(tasks)
        # One that died has said so, and keeps nobody from stopping the others.
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self, wait: int) -> Claim | None:
        pause = _Pause(self._stopped)
        while not self._stopped.is_set():
            try:
                return await self._claim(wait)
            except HubError as error:
                if not is_passing(error) or error.code == "closed":
                    if self._entity._face.closed:
                        return None
                    raise
            await pause.wait()
        return None

    async def _claim(self, wait: int) -> Claim | None:
        """What comes next; nothing where the worker is stopped or cancelled meanwhile."""
        args = {
            "tags": self._tags,
            "capabilities": self._capabilities,
            "wait_seconds": wait,
            "lease_seconds": self._lease,
        }
        claiming = self._entity._start(CLAIM_NEXT, args)
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((claiming.future, stopping), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if claiming.future.done() and claiming.future.exception() is None:
                claim = CLAIM_NEXT.read(claiming.take())
                if claim is not None:
                    await _finish(self._give_back(claim))
            raise
        else:
            return CLAIM_NEXT.read(claiming.take()) if claiming.future.done() else None
        finally:
            stopping.cancel()
            claiming.forget()

    async def _do(self, claim: Claim) -> None:
        hold = Hold(self._lease)
        job: Job = job_of(Job, claim, hold)
        object.__setattr__(job, "_entity", self._entity)
        on_thread = not _is_coroutine_function(self._handler)
        working = asyncio.ensure_future(self._handled(job, on_thread))
        renewing = asyncio.ensure_future(self._renew(job, hold, None if on_thread else working))
        try:
            await asyncio.wait((working,))
        except asyncio.CancelledError:
            # A thread cannot be stopped: it is asked to end, and the task is no other's before it has.
            hold.is_called_off = True
            if not on_thread:
                working.cancel()
            await _finish(asyncio.wait((working,)))
            if not hold.is_stale:
                await _finish(self._give_back(job))
            raise
        finally:
            renewing.cancel()
        await _finish(self._ended(job, hold, working))

    async def _handled(self, job: Job, on_thread: bool) -> Any:
        result = await asyncio.to_thread(self._handler, job) if on_thread else self._handler(job)
        # A plain function may hand on what a coroutine function gave it.
        return await result if inspect.isawaitable(result) else result

    async def _ended(self, job: Job, hold: Hold, working: asyncio.Future[Any]) -> None:
        if hold.is_stale:
            return
        if working.cancelled():
            # Neither the worker was cancelled nor the claim lost: claimed again, it would only end so again.
            log.warning("task %s failed: its handler was cancelled", job.task_id)
            await self._end(
                job, hold, lambda: self._fail(job, "CancelledError: the handler was cancelled")
            )
            return
        error = working.exception()
        if error is None:
            await self._end(job, hold, lambda: self._complete(job, working.result()))
        elif isinstance(error, Exception):
            log.warning("task %s failed", job.task_id, exc_info=error)
            await self._end(job, hold, lambda: self._fail(job, reason_of(error)))
        else:
            await self._give_back(job)
            raise error

    async def _renew(self, job: Job, hold: Hold, working: asyncio.Future[Any] | None) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            asked_at = time.monotonic()
            try:
                await self._entity.renew(job.task_id, claim_token=job.claim_token)
                hold.renewed(asked_at)
            except HubError as error:
                if is_loss(error):
                    hold.is_stale = True
                    log.warning("task %s was lost while it was worked on: %s", job.task_id, error)
                    if working is not None:
                        working.cancel()
                    return

    async def _complete(self, job: Job, result: Any) -> None:
        try:
            await self._entity.complete(job.task_id, result=result, claim_token=job.claim_token)
        except Invalid as error:
            await self._fail(job, f"its result cannot be kept: {error}")

    async def _fail(self, job: Job, reason: str) -> None:
        await self._entity.fail(job.task_id, reason=reason, claim_token=job.claim_token)

    async def _end(self, job: Job, hold: Hold, end: Callable[[], Awaitable[None]]) -> None:
        """Says what came of a task, for as long as it is one's own. To say the same twice changes nothing."""
        pause = _Pause(self._stopped)
        while not hold.is_stale:
            try:
                return await end()
            except HubError as error:
                if is_loss(error):
                    break
                if not is_passing(error) or self._entity._face.closed:
                    raise
                if hold.is_over:  # The hub was away for longer than the lease.
                    break
            await pause.wait()
        hold.is_stale = True
        log.warning("task %s was lost; what came of it is not kept", job.task_id)

    async def _give_back(self, claim: Claim) -> None:
        try:
            await self._entity.release(claim.task_id, claim_token=claim.claim_token)
        except HubError as error:
            log.warning("task %s was not given back: %s", claim.task_id, error)

    def __repr__(self) -> str:
        name = getattr(self._handler, "__name__", repr(self._handler))
        return f"<coordhub.aio.Worker {name} of {self._entity.entity_id!r}>"


def _log_death(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("a worker ended: %s", error, exc_info=error)


def _is_coroutine_function(handler: Handler) -> bool:
    """Whether it is one, or an object that is called like one."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(type(handler), "__call__", None)
    )


class _Pause:
    """Longer and longer pauses."""

    def __init__(self, stopped: asyncio.Event) -> None:
        self._stopped = stopped
        self._seconds = _TRIES_AGAIN_AFTER_SECONDS[0]

    async def wait(self) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), self._seconds)
        self._seconds = min(2 * self._seconds, _TRIES_AGAIN_AFTER_SECONDS[1])


async def _finish(work: Any) -> None:
    """Does something to its end, whoever cancels meanwhile; then that goes on."""
    doing = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.shield(doing)
        except asyncio.CancelledError as error:
            if doing.cancelled():
                raise
            cancelled = error
    doing.result()
    if cancelled is not None:
        raise cancelled
