"""What can be said of a connection, and of serving."""

from __future__ import annotations

from typing import Literal, TypedDict


class ConnectOptions(TypedDict, total=False):
    """How to connect."""

    token: str | None
    token_file: str | None
    entity: str | None
    timeout: float | None
    ca_file: str | None


class ServeOptions(TypedDict, total=False):
    """How to serve: options of ``coordhub serve``, by name."""

    auth: Literal["open", "token"]
