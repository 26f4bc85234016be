"""What every hub is, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .._words import EntityType
from ._calls import Calls
from ._events import EventStream

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._entity import EntityHandle


@runtime_checkable
class HubProtocol(Calls, Protocol):
    """A hub: ``aio.Hub`` in this process, ``aio.RemoteHub`` elsewhere. What is written for it runs with both."""

    def events(
        self,
        *,
        since: int | str | None = None,
        kinds: Iterable[str] | None = None,
        channels: Iterable[str] | None = None,
        entity_id: str | None = None,
    ) -> EventStream:
        """Everything that happens, as it happens."""
        ...

    def entity(
        self,
        entity_id: str,
        *,
        type: EntityType = "ai_agent",
        name: str | None = None,
        capabilities: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        heartbeat_seconds: float = 30,
    ) -> EntityHandle:
        """Takes part as an entity, from ``async with`` on, and says that it is there until its handle is closed."""
        ...

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        ...

    async def close(self) -> None:
        """Lets go of the hub."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
