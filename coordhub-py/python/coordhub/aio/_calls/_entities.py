# Written by generate.py from _calls: change those.
"""Who takes part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from ... import _operations as op
from ..._objects import Attention, Change, Entity, Handoff, Registered
from ..._record import Page
from ..._words import EntityType, Order, Status
from ._base import Base


class EntityCalls(Base, Protocol):
    """Registering, presence, and what waits for whom."""

    async def register(
        self,
        entity_id: str,
        entity_type: EntityType,
        *,
        name: str | None = None,
        capabilities: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Registered:
        """Takes part, or changes what one said of oneself. The type is fixed at the first registration."""
        args = {
            "entity_id": entity_id,
            "entity_type": entity_type,
            "name": name,
            "capabilities": capabilities,
            "metadata": metadata,
        }
        return await self._call(op.REGISTER, args, idempotency_key)

    async def entities(
        self,
        *,
        entity_type: EntityType | None = None,
        status: Status | None = None,
        capability: str | None = None,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Page[Entity]:
        """Who takes part, in order of registration."""
        args = {
            "entity_type": entity_type,
            "status": status,
            "capability": capability,
            "after": after,
            "order": order,
            "limit": limit,
        }
        return await self._call(op.ENTITIES, args)

    async def get_entity(self, entity_id: str | None = None) -> Entity:
        """One entity with its presence; oneself where none is named."""
        return await self._call(op.GET_ENTITY, {"id": self._self(entity_id)})

    async def remove(
        self,
        entity_id: str | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Change:
        """Takes part no longer: claims are released, votes in open proposals stand."""
        own = self._self(entity_id)
        args = {"id": own, "entity_id": None if self._named else own}
        return await self._call(op.REMOVE, args, idempotency_key)

    async def heartbeat(
        self,
        entity_id: str | None = None,
        *,
        activity: str | None = None,
    ) -> datetime:
        """Says that one is there and, in a few words, what one is doing. Renews the leases of all tasks one holds."""
        args = {"entity_id": self._self(entity_id), "activity": activity}
        return await self._call(op.HEARTBEAT, args)

    async def hand_off(
        self,
        note: str,
        *,
        to: str | None = None,
        entity_id: str | None = None,
        by: str | None = None,
        idempotency_key: str | None = None,
    ) -> Handoff:
        """Gives all that ``entity_id`` holds to another, or back, with a note for whoever goes on with it.

        ``by`` (``entity_id`` in the contract) says who does that, where it is a human who does it for another.
        """
        args = {"id": self._self(entity_id), "note": note, "to": to, "entity_id": by}
        return await self._call(op.HAND_OFF, args, idempotency_key)

    async def attention(self, entity_id: str | None = None) -> Attention:
        """What waits for an entity: messages, acknowledgements, questions, tasks, votes."""
        return await self._call(op.ATTENTION, {"entity_id": self._self(entity_id)})
