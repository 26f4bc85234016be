# Written by generate.py from _calls: change those.
"""The log, the hub itself, and who may come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol

from ... import _operations as op
from ..._objects import Change
from ..._record import Page
from ..._service import (
    AuditEntry,
    Capabilities,
    Dependencies,
    EventPage,
    Health,
    Invite,
    Invited,
    Issued,
    Pruned,
    Received,
    Refusal,
    Session,
    State,
    Token,
    UdcForm,
)
from ..._words import EntityType, Order, Prunable, Role, UdcType
from ._base import Base


class ServiceCalls(Base, Protocol):
    """What happened, how the hub does, and what only an admin may."""

    async def read_events(
        self,
        *,
        since: int | str | None = None,
        wait: int | None = None,
        kinds: Iterable[str] | None = None,
        channels: Iterable[str] | None = None,
        limit: int | None = None,
        entity_id: str | None = None,
    ) -> EventPage:
        """A page of what happened after ``since``: a ``seq``, or a page's ``position``.

        Where there is nothing, it waits up to ``wait`` seconds, at most 60. ``events`` goes on from page to page.
        """
        args = {
            "since": None if since is None else str(since),
            "wait": wait,
            "kinds": None if kinds is None else ",".join(kinds),
            "channels": None if channels is None else ",".join(channels),
            "limit": limit,
            "entity_id": entity_id,
        }
        return await self._call(op.READ_EVENTS, args)

    async def session(self) -> Session:
        """Whether callers show tokens here, and who one is."""
        return await self._call(op.SESSION, {})

    async def health(self) -> Health:
        """Whether the hub works."""
        return await self._call(op.HEALTH, {})

    async def state(self) -> State:
        """How the hub is doing."""
        return await self._call(op.STATE, {})

    async def capabilities(self) -> Capabilities:
        """What the hub can do."""
        return await self._call(op.CAPABILITIES, {})

    async def dependencies(self) -> Dependencies:
        """What the hub depends on."""
        return await self._call(op.DEPENDENCIES, {})

    async def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the hub's HTTP API."""
        return await self._call(op.OPENAPI, {})

    async def send_udc(
        self,
        message_type: UdcType,
        *,
        trace_id: str,
        source: str | None = None,
        target: str | None = None,
        payload: Any = None,
        timestamp: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Received:
        """Leaves a message between UDC services on the channel ``technical``. A command in it is never carried out."""
        args = {
            "message_type": message_type,
            "trace_id": trace_id,
            "source": source,
            "target": target,
            "payload": payload,
            "timestamp": timestamp,
        }
        return await self._call(op.SEND_UDC, args, idempotency_key)

    async def udc_form(self) -> UdcForm:
        """What a message between UDC services may hold."""
        return await self._call(op.UDC_FORM, {})

    # What only an admin may. Whoever opened a hub in the process is its admin.

    async def create_invite(
        self,
        name: str,
        entity_types: Iterable[EntityType],
        *,
        entity_ids: Iterable[str] | None = None,
        role: Role | None = None,
        uses: int | None = None,
        expires_at: datetime | timedelta | None = None,
        expires_in_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Invited:
        """Lets others take part: its secret is told once."""
        args = {
            "name": name,
            "entity_types": entity_types,
            "entity_ids": entity_ids,
            "role": role,
            "uses": uses,
            "expires_at": expires_at,
            "expires_in_seconds": expires_in_seconds,
        }
        return await self._call(op.CREATE_INVITE, args, idempotency_key)

    async def invites(
        self,
        *,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Page[Invite]:
        """The invites there are, without their secrets."""
        return await self._call(op.INVITES, {"after": after, "order": order, "limit": limit})

    async def revoke_invite(self, invite_id: str) -> Change:
        """Lets nobody more register with an invite."""
        return await self._call(op.REVOKE_INVITE, {"invite_id": invite_id})

    async def create_token(
        self,
        entity_id: str,
        name: str,
        *,
        role: Role | None = None,
        idempotency_key: str | None = None,
    ) -> Issued:
        """Lets whoever has the token act as an entity: its secret is told once."""
        args = {"entity_id": entity_id, "name": name, "role": role}
        return await self._call(op.CREATE_TOKEN, args, idempotency_key)

    async def tokens(
        self,
        *,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Page[Token]:
        """The tokens there are, without their secrets."""
        return await self._call(op.TOKENS, {"after": after, "order": order, "limit": limit})

    async def rotate_token(self, token_id: str, *, idempotency_key: str | None = None) -> Issued:
        """Changes the secret of a token, one's own as well."""
        return await self._call(op.ROTATE_TOKEN, {"token_id": token_id}, idempotency_key)

    async def revoke_token(self, token_id: str) -> Change:
        """Lets nobody act by a token any more."""
        return await self._call(op.REVOKE_TOKEN, {"token_id": token_id})

    async def prune(
        self,
        kind: Prunable,
        *,
        before: datetime | None = None,
        older_than_days: int | None = None,
        idempotency_key: str | None = None,
    ) -> Pruned:
        """Gives up what is older than ``before``, or than so many days; a day at least. Who did what stays known."""
        args = {"kind": kind, "before": before, "older_than_days": older_than_days}
        return await self._call(op.PRUNE, args, idempotency_key)

    async def audit(
        self,
        *,
        actor: str | None = None,
        kind: str | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page[AuditEntry]:
        """Who did what, without what was said."""
        args = {"actor": actor, "kind": kind, "after": after, "limit": limit}
        return await self._call(op.AUDIT, args)

    async def refusals(
        self,
        *,
        actor: str | None = None,
        kind: str | None = None,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Page[Refusal]:
        """What was refused, counted."""
        args = {"actor": actor, "kind": kind, "after": after, "order": order, "limit": limit}
        return await self._call(op.REFUSALS, args)
