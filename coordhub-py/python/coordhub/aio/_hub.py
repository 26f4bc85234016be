"""The hub for asyncio: in this process, or over the network."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _coordhub
from .._face import failure
from .._options import options_of, remote
from .._served import Served, serve
from .._words import EntityType
from ._async import FaceCalls
from ._entity import EntityHandle
from ._protocol import HubProtocol

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .._options import ConnectOptions, ServeOptions

T = TypeVar("T")


class _AnyHub(FaceCalls, HubProtocol):
    """What both hubs have in common."""

    def __init__(self, caller: str | None, *, named: bool) -> None:
        super().__init__(caller, named=named)
        self._entities: weakref.WeakSet[EntityHandle] = weakref.WeakSet()

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
        """Takes part as an entity: ``async with hub.entity("gpt") as me`` registers it.

        In the background it says that it is there, until its handle is closed. All that the handle does is done by the
        entity, which need not be named again.
        """
        registration = {
            "entity_id": entity_id,
            "entity_type": type,
            "name": name,
            "capabilities": None if capabilities is None else list(capabilities),
            "metadata": metadata,
        }
        entity = EntityHandle(self._face, self._by_token, registration, heartbeat_seconds)
        self._entities.add(entity)
        return entity

    def _by_token(self, token: str) -> _coordhub.Face:
        """The same hub, for whoever has another token: an invite's guest was just given its own."""
        del token
        return self._face

    def _open(self) -> _coordhub.Face:
        """Opens it. May block."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called. Every other call then raises ``Unavailable``."""
        return self._opened is not None and self._opened.closed

    async def close(self) -> None:
        """Finishes what was begun, and lets go of the hub. A second call does nothing."""
        try:
            for entity in list(self._entities):
                await entity.close()
        finally:
            if self._opened is not None:
                await _on_a_thread(self._opened.close)

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        if self._opened is None:
            try:
                self._opened = await _on_a_thread(self._open)
            except _coordhub.Refused as refused:
                raise failure(refused) from None
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class Hub(_AnyHub):
    """A hub in this process: ``async with Hub(path) as hub``, or ``hub = await Hub(path)`` and ``close`` in the end.

    It is that of ``coordhub.Hub``, with coroutines for methods. A coroutine that is cancelled waits no more; what it
    asked for may be done all the same.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(None, named=False)
        self._path = os.fspath(path)

    def _open(self) -> _coordhub.Local:
        return _coordhub.Local(self._path)

    @property
    def _local(self) -> _coordhub.Local:
        face = self._face
        assert isinstance(face, _coordhub.Local)
        return face

    async def serve(self, bind: str = "127.0.0.1:8550", **options: Unpack[ServeOptions]) -> Served:
        """Puts the hub on the network, page and all, in the background. See ``coordhub.Hub.serve``."""
        local = self._local
        return await _on_a_thread(lambda: serve(local, bind, options))

    @property
    def epoch(self) -> str:
        """Names this history of the hub."""
        return self._local.epoch

    @property
    def head_seq(self) -> int:
        """The ``seq`` of the newest event; 0 before the first."""
        try:
            return self._local.head_seq
        except _coordhub.Refused as refused:
            raise failure(refused) from None

    def __repr__(self) -> str:
        return f"<coordhub.aio.Hub {self._path!r}{' closed' if self.closed else ''}>"


class RemoteHub(_AnyHub):
    """A hub over the network: what ``connect`` gives."""

    def __init__(self, url: str, options: ConnectOptions) -> None:
        caller = options.get("entity")
        has_token = options.get("token") or options.get("token_file")
        super().__init__(caller, named=caller is not None or has_token is not None)
        self._url = url
        self._options = options
        self._guests: list[_coordhub.Remote] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return self._url

    def _open(self) -> _coordhub.Remote:
        return remote(self._url, self._options)

    def _by_token(self, token: str) -> _coordhub.Face:
        guest = remote(self._url, {**self._options, "token": token, "token_file": None})
        self._guests.append(guest)
        return guest

    async def close(self) -> None:
        """Finishes what was begun, and lets go of the hub. A second call does nothing."""
        try:
            await super().close()
        finally:
            for guest in self._guests:
                await _on_a_thread(guest.close)

    def __repr__(self) -> str:
        return f"<coordhub.aio.RemoteHub {self._url!r}{' closed' if self.closed else ''}>"


def connect(
    url: str,
    *,
    token: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    entity: str | None = None,
    timeout: float | None = None,
    ca_file: str | os.PathLike[str] | None = None,
) -> RemoteHub:
    """A hub over the network: ``async with connect(url) as hub``. See ``coordhub.connect``."""
    return RemoteHub(url, options_of(token, token_file, entity, timeout, ca_file))


async def _on_a_thread(work: Callable[[], T]) -> T:
    """Opening and closing may wait for the disk: they are all that takes a thread."""
    return await asyncio.get_running_loop().run_in_executor(None, work)
