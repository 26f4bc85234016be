"""The hub: in this process, or over the network."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _coordhub
from ._entity import EntityHandle
from ._face import failure
from ._options import options_of, remote
from ._protocol import HubProtocol
from ._served import Served, serve
from ._sync import FaceCalls
from ._words import EntityType

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._options import ConnectOptions, ServeOptions

F = TypeVar("F", bound=_coordhub.Face)


class _AnyHub(FaceCalls, HubProtocol, Generic[F]):
    """What both hubs have in common."""

    _face: F

    def __init__(self, face: F, caller: str | None, *, named: bool) -> None:
        super().__init__(face, caller, named=named)
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
        """Takes part as an entity: registers it, and says that it is there until its handle is closed.

        All that the handle does is done by the entity, which need not be named again.
        """
        face: _coordhub.Face = self._face
        known = FaceCalls(face, entity_id, named=True).register(
            entity_id, type, name=name, capabilities=capabilities, metadata=metadata
        )
        if known.token is not None:
            face = self._by_token(known.token)
        entity = EntityHandle(face, known, heartbeat_seconds)
        self._entities.add(entity)
        return entity

    def _by_token(self, token: str) -> _coordhub.Face:
        """The same hub, for whoever has another token: an invite's guest was just given its own."""
        del token
        return self._face

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called. Every other call then raises ``Unavailable``."""
        return self._face.closed

    def close(self) -> None:
        """Finishes what was begun, and lets go of the hub. A second call does nothing."""
        for entity in list(self._entities):
            entity.close()
        self._face.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Hub(_AnyHub[_coordhub.Local]):
    """A hub in this process.

    ``Hub(path)`` keeps it in the file at ``path``, which is made where there is none; ``Hub(":memory:")`` keeps it in
    memory alone. It closes with ``close()``, at the end of a ``with`` block, or when it is collected. Raises
    ``StoreError`` where the file cannot be opened.

    One hub serves any number of threads. A method that changes something returns when the change is on disk, and
    releases the GIL while it waits; a wait ends on Ctrl-C. A process that forks must open it anew in the child.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        try:
            face = _coordhub.Local(self._path)
        except _coordhub.Refused as refused:
            raise failure(refused) from None
        super().__init__(face, None, named=False)

    def serve(self, bind: str = "127.0.0.1:8550", **options: Unpack[ServeOptions]) -> Served:
        """Puts the hub on the network, page and all, in the background.

        ``bind`` names one address, or several parted by commas; port 0 takes a free one. ``options`` are those of
        ``coordhub serve``, by name: ``auth="token"`` is a must for any address but this machine's own.
        """
        return serve(self._face, bind, options)

    @property
    def epoch(self) -> str:
        """Names this history of the hub."""
        return self._face.epoch

    @property
    def head_seq(self) -> int:
        """The ``seq`` of the newest event; 0 before the first."""
        try:
            return self._face.head_seq
        except _coordhub.Refused as refused:
            raise failure(refused) from None

    def __repr__(self) -> str:
        return f"<coordhub.Hub {self._path!r}{' closed' if self.closed else ''}>"


class RemoteHub(_AnyHub["_coordhub.Remote"]):
    """A hub over the network: what ``connect`` gives."""

    def __init__(self, url: str, options: ConnectOptions) -> None:
        self._url = url
        self._options = options
        self._guests: list[_coordhub.Remote] = []
        caller = options.get("entity")
        has_token = options.get("token") or options.get("token_file")
        super().__init__(
            remote(url, options), caller, named=caller is not None or has_token is not None
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return self._url

    def _by_token(self, token: str) -> _coordhub.Face:
        guest = remote(self._url, {**self._options, "token": token, "token_file": None})
        self._guests.append(guest)
        return guest

    def close(self) -> None:
        """Finishes what was begun, and lets go of the hub. A second call does nothing."""
        try:
            super().close()
        finally:
            for guest in self._guests:
                guest.close()

    def __repr__(self) -> str:
        return f"<coordhub.RemoteHub {self._url!r}{' closed' if self.closed else ''}>"


def connect(
    url: str,
    *,
    token: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    entity: str | None = None,
    timeout: float | None = None,
    ca_file: str | os.PathLike[str] | None = None,
) -> RemoteHub:
    """A hub over the network.

    ``token`` says who one is (or the secret of an invite, to register with), as does the file ``token_file``;
    ``entity`` is who acts where a call names nobody, and who a token is of. Connections are made when they are needed
    and used again; ``timeout`` is how many seconds a call may take, beyond what it asks to wait. A token is only ever
    sent to this machine or over TLS, where ``ca_file`` names the authorities that are trusted.
    """
    return RemoteHub(url, options_of(token, token_file, entity, timeout, ca_file))
