"""Messages and channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from .. import _operations as op
from .._objects import Change, Channel, ChannelDetails, Message, Receipts, Sent
from .._record import Page
from .._service import SearchPage
from .._words import EntityType
from ._base import Base


class MessageCalls(Base, Protocol):
    """Saying something, and reading what was said."""

    def send(
        self,
        content: str,
        *,
        from_entity: str | None = None,
        channel: str | None = None,
        to_entity: str | None = None,
        message_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reply_to: str | None = None,
        ack_required: bool | None = None,
        ack_deadline: datetime | timedelta | None = None,
        task: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Sent:
        """Sends a message: to one entity where ``to_entity`` is given, else to a channel, ``general`` by default.

        With ``ack_required`` its recipients are asked to acknowledge it. ``task``, with the arguments of
        ``create_task``, is created in the same commit.
        """
        args = {
            "content": content,
            "from_entity": from_entity,
            "channel": channel,
            "to_entity": to_entity,
            "message_type": message_type,
            "metadata": metadata,
            "reply_to": reply_to,
            "ack_required": ack_required,
            "ack_deadline": ack_deadline,
            "task": task,
        }
        return self._call(op.SEND, args, idempotency_key)

    def send_messages(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[Message, ...]:
        """Sends up to 1,000 messages, all or none. Each holds the arguments of ``send``."""
        args = {"messages": messages, "entity_id": entity_id}
        return self._call(op.SEND_MESSAGES, args, idempotency_key)

    def recent(
        self,
        *,
        entity_id: str | None = None,
        channel: str | None = None,
        with_: str | None = None,
        thread_id: str | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int | None = None,
        notices: bool | None = None,
    ) -> Page[Message]:
        """The newest messages that ``entity_id`` may read, oldest first; nobody reads open channels alone.

        ``with_`` (``with`` in the contract) asks for the direct messages between ``entity_id`` and another instead.
        """
        args = {
            "entity_id": entity_id,
            "channel": channel,
            "with": with_,
            "thread_id": thread_id,
            "before": before,
            "after": after,
            "limit": limit,
            "notices": notices,
        }
        return self._call(op.RECENT, args)

    def search(
        self,
        q: str,
        *,
        entity_id: str | None = None,
        channel: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> SearchPage:
        """Messages by their words and "phrases", the newest first."""
        args = {
            "q": q,
            "entity_id": entity_id,
            "channel": channel,
            "before": before,
            "limit": limit,
        }
        return self._call(op.SEARCH, args)

    def messages_for(
        self,
        entity_id: str | None = None,
        *,
        unread: bool | None = None,
        direct: bool | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page[Message]:
        """Direct messages to ``entity_id``, and messages of others on channels it may read.

        With ``unread`` only what is not marked read, the oldest first. Reading never marks read: ``mark_read`` does.
        """
        args = {
            "entity_id": self._self(entity_id),
            "unread": unread,
            "direct": direct,
            "after": after,
            "limit": limit,
        }
        return self._call(op.MESSAGES_FOR, args)

    def mark_read(
        self,
        up_to: int,
        *,
        entity_id: str | None = None,
        channel: str | None = None,
        direct: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Change:
        """Marks messages up to and with the one at ``up_to`` read: all, or those of one channel, or direct ones."""
        args = {
            "entity_id": self._self(entity_id),
            "up_to": up_to,
            "channel": channel,
            "direct": direct,
        }
        return self._call(op.MARK_READ, args, idempotency_key)

    def get_message(self, message_id: str, *, entity_id: str | None = None) -> Message:
        """One message, if ``entity_id`` may read it."""
        return self._call(op.GET_MESSAGE, {"message_id": message_id, "entity_id": entity_id})

    def receipts(self, message_id: str, *, entity_id: str | None = None) -> Receipts:
        """Who has read a message, and who has acknowledged it."""
        return self._call(op.RECEIPTS, {"message_id": message_id, "entity_id": entity_id})

    def ack(
        self,
        message_id: str,
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Change:
        """Says that one has seen a message that asks for it."""
        args = {"message_id": message_id, "entity_id": entity_id}
        return self._call(op.ACK, args, idempotency_key)

    def resolve(
        self,
        message_id: str,
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Change:
        """Ends the roll-call of a message: its sender, or a human, may."""
        args = {"message_id": message_id, "entity_id": entity_id}
        return self._call(op.RESOLVE, args, idempotency_key)

    def redact(
        self,
        message_id: str,
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Change:
        """Removes what a message says, everywhere. That there was one stays."""
        args = {"message_id": message_id, "entity_id": entity_id}
        return self._call(op.REDACT, args, idempotency_key)

    # Channels.

    def channels(self, *, entity_id: str | None = None) -> Page[Channel]:
        """The channels that ``entity_id`` may know of, and what is unread there."""
        return self._call(op.CHANNELS, {"entity_id": entity_id})

    def get_channel(self, channel: str, *, entity_id: str | None = None) -> ChannelDetails:
        """One channel, and who belongs to it."""
        return self._call(op.GET_CHANNEL, {"channel": channel, "entity_id": entity_id})

    def create_channel(
        self,
        channel: str,
        *,
        members: Iterable[str] | None = None,
        types: Iterable[EntityType] | None = None,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Change:
        """Makes a private channel, for its members and for whoever of the ``types`` joins it.

        An open channel needs no making: it is there once somebody posts to it.
        """
        args = {"channel": channel, "members": members, "types": types, "entity_id": entity_id}
        return self._call(op.CREATE_CHANNEL, args, idempotency_key)

    def join_channel(
        self, channel: str, *, entity_id: str | None = None, idempotency_key: str | None = None
    ) -> Change:
        """Becomes a member of a private channel that is open to one's type."""
        args = {"channel": channel, "entity_id": entity_id}
        return self._call(op.JOIN_CHANNEL, args, idempotency_key)

    def leave_channel(
        self, channel: str, *, entity_id: str | None = None, idempotency_key: str | None = None
    ) -> Change:
        """Is a member of a private channel no more."""
        args = {"channel": channel, "entity_id": entity_id}
        return self._call(op.LEAVE_CHANNEL, args, idempotency_key)

    def invite_to_channel(
        self,
        channel: str,
        members: Iterable[str],
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Change:
        """Makes others members of a private channel."""
        args = {"channel": channel, "members": members, "entity_id": entity_id}
        return self._call(op.INVITE_TO_CHANNEL, args, idempotency_key)
