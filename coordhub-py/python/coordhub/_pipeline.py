"""Many calls under way at a time, on one thread."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _coordhub
from ._errors import HubError
from ._face import arguments, failure
from ._operations import Operation
from ._pending import Pending
from ._pipelined import Calls

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class Pipeline(Calls):
    """The methods of a hub, each of which gives a ``Pending`` at once: what is under way together is synced together.

    Changes are made in the order of the calls. At most so many are under way; a further call waits for the first of
    them. At the end of the ``with`` block all are done, and the first failure that nobody has seen is raised.
    """

    def __init__(self, face: _coordhub.Face, caller: str | None, named: bool, most: int) -> None:
        self._face = face
        self._caller = caller
        self._named = named
        self._most = most
        self._under_way: deque[Pending[Any]] = deque()
        self._failed: HubError | None = None

    def drain(self) -> None:
        """Waits until all are done, and raises the first failure that nobody has seen."""
        while self._under_way:
            self._settle_first()
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def _call(
        self, operation: Operation[T], args: dict[str, Any], idempotency_key: str | None = None
    ) -> Pending[T]:
        given = arguments(args)
        if len(self._under_way) >= self._most:
            self._settle_first()
        try:
            ticket = self._face.submit(
                operation.method,
                operation.path,
                given,
                self._caller,
                idempotency_key,
                operation.role,
            )
        except _coordhub.Refused as refused:
            raise failure(refused) from None
        pending = Pending(ticket, operation.read)
        self._under_way.append(pending)
        return pending

    def _settle_first(self) -> None:
        failed = self._under_way.popleft()._settle()
        if self._failed is None:
            self._failed = failed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.drain()
