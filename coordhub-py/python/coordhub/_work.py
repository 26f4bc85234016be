"""Workers: one task after the other, each held for as long as it is worked on."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from . import _coordhub
from ._errors import HubError, Invalid
from ._face import arguments, failure
from ._job import BaseJob, Hold, is_loss, is_passing, job_of, log, reason_of
from ._objects import Claim
from ._operations import CLAIM_NEXT

if TYPE_CHECKING:
    from ._entity import EntityHandle

T = TypeVar("T")

_CLAIM_WAITS_SECONDS = 60
# How long a worker that is to stop goes on waiting for something to do.
_STOPS_WITHIN_SECONDS = 0.2
_TRIES_AGAIN_AFTER_SECONDS = (0.1, 5.0)


class Job(BaseJob):
    """A task that a worker has in hand: a claimed task that knows whether it is still one's own."""

    __slots__ = ("_entity",)

    def note(self, note: str) -> None:
        """Notes how it goes, for whoever looks at the task."""
        self._entity.update_task(self.task_id, note=note)

    if TYPE_CHECKING:
        _entity: EntityHandle


Handler = Callable[[Job], Any]
"""What a worker hands each task to. What it returns is the task's result; a coroutine is run to its end."""


class Worker:
    """Claims one task after the other and hands each to a function.

    What the function returns completes the task, and must be JSON; an exception fails it, with that as the reason. The
    lease is renewed while the function runs; if it is lost all the same, ``job.lost`` says so, and nothing is completed.
    Ctrl-C gives the task in hand back and goes on as ``KeyboardInterrupt``; ``stop()`` lets the function finish.
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
        self._lease = lease
        self._wanted = arguments(
            {
                "tags": tags,
                "capabilities": capabilities,
                "lease_seconds": lease,
                "wait_seconds": _CLAIM_WAITS_SECONDS,
            }
        )
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.__doc__ = handler.__doc__

    def __call__(self, job: Job) -> Any:
        """The function itself, with no hub between."""
        return self._handler(job)

    def run(self, *, until_idle: bool = False) -> None:
        """Works until ``stop``, or until the hub is closed here; with ``until_idle`` until there is nothing to do."""
        with _Renewer(self._entity, self._lease) as renewer:
            while not self._stopped.is_set():
                claim = self._next(0 if until_idle else _CLAIM_WAITS_SECONDS)
                if claim is not None:
                    self._do(claim, renewer)
                elif until_idle or self._entity._face.closed:
                    return

    def start(self) -> Worker:
        """The same in the background. Each further start works on one more task at a time."""
        thread = threading.Thread(
            target=self.run, name=f"coordhub-worker-{self._entity.entity_id}", daemon=True
        )
        self._threads.append(thread)
        thread.start()
        return self

    def stop(self, timeout: float | None = None) -> None:
        """Claims nothing more, and waits until what is in hand in the background is done."""
        self._stopped.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout)

    def _next(self, wait: int) -> Claim | None:
        args = {**self._wanted, "wait_seconds": wait}
        pause = _Pause(self._stopped)
        while not self._stopped.is_set():
            try:
                return self._claim(args)
            except HubError as error:
                if not is_passing(error) or error.code == "closed":
                    if self._entity._face.closed:
                        return None
                    raise
            pause.wait()
        return None

    def _claim(self, args: dict[str, Any]) -> Claim | None:
        """What comes next. A ticket that is dropped gives back what it was for."""
        entity = self._entity
        try:
            ticket = entity._face.submit(
                CLAIM_NEXT.method, CLAIM_NEXT.path, args, entity._caller, None, None
            )
            while True:
                try:
                    return CLAIM_NEXT.read(ticket.result(_STOPS_WITHIN_SECONDS))
                except TimeoutError:
                    if self._stopped.is_set():
                        return None
        except _coordhub.Refused as refused:
            raise failure(refused) from None

    def _do(self, claim: Claim, renewer: _Renewer) -> None:
        hold = Hold(self._lease)
        job: Job = job_of(Job, claim, hold)
        object.__setattr__(job, "_entity", self._entity)
        with renewer.holding(job, hold):
            try:
                result = self._handler(job)
                if inspect.isawaitable(result):
                    result = asyncio.run(_result_of(result))
            except Exception as error:
                reason = reason_of(error)
                log.warning("task %s failed", job.task_id, exc_info=True)
                self._end(job, hold, lambda: self._fail(job, reason))
            except BaseException:
                self._give_back(job, hold)
                raise
            else:
                self._end(job, hold, lambda: self._complete(job, result))

    def _complete(self, job: Job, result: Any) -> None:
        try:
            self._entity.complete(job.task_id, result=result, claim_token=job.claim_token)
        except Invalid as error:
            self._fail(job, f"its result cannot be kept: {error}")

    def _fail(self, job: Job, reason: str) -> None:
        self._entity.fail(job.task_id, reason=reason, claim_token=job.claim_token)

    def _end(self, job: Job, hold: Hold, end: Callable[[], None]) -> None:
        """Says what came of a task, for as long as it is one's own. To say the same twice changes nothing."""
        pause = _Pause(self._stopped)
        while not hold.is_stale:
            try:
                return end()
            except HubError as error:
                if is_loss(error):
                    break
                if not is_passing(error) or self._entity._face.closed:
                    raise
                if hold.is_over:  # The hub was away for longer than the lease.
                    break
            pause.wait()
        hold.is_stale = True
        log.warning("task %s was lost; what came of it is not kept", job.task_id)

    def _give_back(self, job: Job, hold: Hold) -> None:
        if hold.is_stale:
            return
        try:
            self._entity.release(job.task_id, claim_token=job.claim_token)
        except HubError as error:
            log.warning("task %s was not given back: %s", job.task_id, error)

    def __repr__(self) -> str:
        name = getattr(self._handler, "__name__", repr(self._handler))
        return f"<coordhub.Worker {name} of {self._entity.entity_id!r}>"


async def _result_of(awaited: Awaitable[Any]) -> Any:
    return await awaited


class _Pause:
    """Longer and longer pauses."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._seconds = _TRIES_AGAIN_AFTER_SECONDS[0]

    def wait(self) -> None:
        self._stopped.wait(self._seconds)
        self._seconds = min(2 * self._seconds, _TRIES_AGAIN_AFTER_SECONDS[1])


class _Renewer:
    """Renews the lease of the task in hand, on a thread of its own."""

    def __init__(self, entity: EntityHandle, lease: int) -> None:
        self._entity = entity
        self._every = lease / 3
        self._changed = threading.Condition()
        self._held: tuple[Job, Hold] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="coordhub-lease", daemon=True)

    @contextmanager
    def holding(self, job: Job, hold: Hold) -> Iterator[None]:
        self._hold((job, hold))
        try:
            yield
        finally:
            self._hold(None)

    def __enter__(self) -> _Renewer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _hold(self, held: tuple[Job, Hold] | None) -> None:
        with self._changed:
            self._held = held
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                held = self._held
                woken = self._changed.wait(None if held is None else self._every)
                if woken or held is None or held is not self._held:
                    continue
            self._renew(*held)

    def _renew(self, job: Job, hold: Hold) -> None:
        asked_at = time.monotonic()
        try:
            self._entity.renew(job.task_id, claim_token=job.claim_token)
            hold.renewed(asked_at)
        except HubError as error:
            if is_loss(error):
                hold.is_stale = True
                log.warning("task %s was lost while it was worked on: %s", job.task_id, error)
