"""The hub of this process on the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _coordhub
from ._face import failure

if TYPE_CHECKING:
    from typing_extensions import Self


class Served:
    """A hub that is on the network until ``stop``, the end of its ``with`` block, or the end of the hub."""

    def __init__(self, native: _coordhub.Served, scheme: str) -> None:
        self._native = native
        self._scheme = scheme

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, each as ``address:port``."""
        return tuple(self._native.addresses)

    @property
    def url(self) -> str:
        """Where to find it: what ``connect`` takes, and a browser."""
        return f"{self._scheme}://{self.addresses[0]}"

    @property
    def admin_token(self) -> Path | None:
        """The file with the admin's token, where serving with ``auth="token"`` has just made one."""
        path = self._native.admin_token
        return None if path is None else Path(path)

    def stop(self) -> None:
        """Takes the hub off the network. The hub itself stays open. A second call does nothing."""
        self._native.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<coordhub.Served {self.url}>"


def serve(local: _coordhub.Local, bind: str, options: Mapping[str, Any]) -> Served:
    """Puts a hub on the network."""
    scheme = "https" if options.get("tls_cert") else "http"
    try:
        return Served(local.serve(bind, dict(options)), scheme)
    except _coordhub.Refused as refused:
        raise failure(refused) from None
