"""What every hub is, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ._calls import Calls
from ._events import EventStream
from ._pipeline import Pipeline
from ._words import EntityType

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._entity import EntityHandle


@runtime_checkable
class HubProtocol(Calls, Protocol):
    """A hub: ``Hub`` in this process, ``RemoteHub`` elsewhere. What is written for it runs with both."""

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

    def pipeline(self, under_way: int = 1_024) -> Pipeline:
        """The same methods with many calls under way at a time."""
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
        """Takes part as an entity, and says that it is there until its handle is closed."""
        ...

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        ...

    def close(self) -> None:
        """Lets go of the hub."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
