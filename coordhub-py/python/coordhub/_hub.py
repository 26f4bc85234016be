"""The hub in this process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

from . import _coordhub
from ._errors import error_of
from ._types import (
    Channel,
    Choice,
    Claim,
    Entity,
    EntityType,
    Message,
    Order,
    Page,
    Priority,
    Proposal,
    ProposalStatus,
    Sent,
    Status,
    Task,
    TaskStatus,
)


class Hub:
    """A hub in this process.

    ``Hub(path)`` keeps it in the file at ``path``, which is made where there is none; ``Hub(":memory:")`` keeps it in
    memory alone. It closes with ``close()``, at the end of a ``with`` block, or when it is collected. Raises
    ``StoreError`` where the file cannot be opened.

    One hub serves any number of threads. A method that changes something returns when the change is on disk, and
    releases the GIL while it waits. Arguments have the contract's names. Whoever acts is named with every call, as
    ``entity_id``, ``from_entity``, ``created_by`` or ``proposed_by``; a read shows what ``entity_id`` may read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        try:
            self._native = _coordhub.Local(self._path)
        except _coordhub.Refused as refused:
            raise error_of(refused.args[0]) from None

    # Entities.

    def register(
        self,
        entity_id: str,
        entity_type: EntityType,
        *,
        name: str | None = None,
        capabilities: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Entity:
        """Takes part, or changes what one said of oneself. The type is fixed at the first registration."""
        reply = self._call(
            "entities.register",
            entity_id=entity_id,
            entity_type=entity_type,
            name=name,
            capabilities=_texts(capabilities),
            metadata=metadata,
        )
        return Entity.from_dict(reply["entity"])

    def remove(self, entity_id: str) -> None:
        """Takes part no longer: claims are released, votes in open proposals stand."""
        self._call("entities.remove", entity_id=entity_id)

    def heartbeat(self, entity_id: str, *, activity: str | None = None) -> Entity:
        """Says that one is there and, in a few words, what one is doing. Costs no write to disk."""
        return Entity.from_dict(
            self._call("entities.heartbeat", entity_id=entity_id, activity=activity)
        )

    def get_entity(self, entity_id: str) -> Entity:
        """One entity with its presence."""
        return Entity.from_dict(self._call("entities.get", entity_id=entity_id))

    def entities(
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
        reply = self._call(
            "entities.list",
            entity_type=entity_type,
            status=status,
            capability=capability,
            after=after,
            order=order,
            limit=limit,
        )
        return Page.read("entities", Entity.from_dict, reply)

    # Messages and channels.

    def send(
        self,
        content: str,
        *,
        from_entity: str,
        channel: str | None = None,
        to_entity: str | None = None,
        message_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reply_to: str | None = None,
    ) -> Sent:
        """Sends a message: to one entity where ``to_entity`` is given, else to a channel, ``general`` by default."""
        reply = self._call(
            "messages.send",
            content=content,
            from_entity=from_entity,
            channel=channel,
            to_entity=to_entity,
            message_type=message_type,
            metadata=metadata,
            reply_to=reply_to,
        )
        return Sent.from_dict({**reply["message"], "recipients": reply["recipients"]})

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
        notices: bool = False,
    ) -> Page[Message]:
        """The newest messages that ``entity_id`` may read, oldest first; nobody reads open channels alone.

        ``with_`` (``with`` in the contract) asks for the direct messages between ``entity_id`` and another instead.
        """
        reply = self._call(
            "messages.recent",
            entity_id=entity_id,
            channel=channel,
            **{"with": with_},
            thread_id=thread_id,
            before=before,
            after=after,
            limit=limit,
            notices=notices,
        )
        return Page.read("messages", Message.from_dict, reply)

    def inbox(
        self,
        entity_id: str,
        *,
        unread: bool = False,
        direct: bool = False,
        after: int | None = None,
        limit: int | None = None,
    ) -> Page[Message]:
        """Direct messages to ``entity_id``, and messages of others on channels it may read.

        With ``unread`` only what is not marked read, the oldest first. Reading never marks read: ``mark_read`` does.
        """
        reply = self._call(
            "messages.for",
            entity_id=entity_id,
            unread=unread,
            direct=direct,
            after=after,
            limit=limit,
        )
        return Page.read("messages", Message.from_dict, reply)

    def mark_read(
        self, entity_id: str, *, up_to: int, channel: str | None = None, direct: bool = False
    ) -> None:
        """Marks messages up to and with the one at ``up_to`` read: all, or those of one channel, or direct ones."""
        self._call(
            "messages.for.ack", entity_id=entity_id, up_to=up_to, channel=channel, direct=direct
        )

    def get_message(self, message_id: str, *, entity_id: str | None = None) -> Message:
        """One message, if ``entity_id`` may read it."""
        return Message.from_dict(
            self._call("messages.get", message_id=message_id, entity_id=entity_id)
        )

    def channels(self, *, entity_id: str | None = None) -> Page[Channel]:
        """The channels that ``entity_id`` may know of, and what is unread there."""
        return Page.read("channels", Channel.from_dict, self._call("channels", entity_id=entity_id))

    # Tasks.

    def create_task(
        self,
        title: str,
        *,
        task_id: str | None = None,
        description: str | None = None,
        created_by: str | None = None,
        priority: Priority | None = None,
        requires_human: bool = False,
        requires_ai: bool = False,
        tags: Iterable[str] | None = None,
        capabilities: Iterable[str] | None = None,
        depends_on: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Task:
        """Creates a task, under an id of one's own or one that is made."""
        reply = self._call(
            "tasks.create",
            title=title,
            task_id=task_id,
            description=description,
            created_by=created_by,
            priority=priority,
            requires_human=requires_human,
            requires_ai=requires_ai,
            tags=_texts(tags),
            capabilities=_texts(capabilities),
            depends_on=_texts(depends_on),
            metadata=metadata,
        )
        return Task.from_dict(reply["task"])

    def update_task(
        self,
        task_id: str,
        *,
        entity_id: str | None = None,
        title: str | None = None,
        description: str | None = None,
        priority: Priority | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Task:
        """Changes what a task says. ``None`` leaves a field as it is."""
        reply = self._call(
            "tasks.update",
            task_id=task_id,
            entity_id=entity_id,
            title=title,
            description=description,
            priority=priority,
            tags=_texts(tags),
            metadata=metadata,
        )
        return Task.from_dict(reply["task"])

    def claim(self, task_id: str, *, entity_id: str) -> Claim:
        """Claims a task. Of any number that try, one wins; the others get ``AlreadyClaimed``."""
        reply = self._call("tasks.claim", task_id=task_id, entity_id=entity_id)
        token, already = reply["claim_token"], reply["already"]
        return Claim.from_dict({**reply["task"], "claim_token": token, "already": already})

    def complete(
        self,
        task_id: str,
        *,
        result: Any = None,
        entity_id: str | None = None,
        claim_token: int | None = None,
    ) -> Task:
        """Completes a claimed task with a result: any JSON value. The same again changes nothing."""
        reply = self._call(
            "tasks.complete",
            task_id=task_id,
            result=result,
            entity_id=entity_id,
            claim_token=claim_token,
        )
        return Task.from_dict(reply["task"])

    def fail(
        self,
        task_id: str,
        *,
        reason: str | None = None,
        entity_id: str | None = None,
        claim_token: int | None = None,
    ) -> Task:
        """Gives a claimed task up as failed."""
        reply = self._call(
            "tasks.fail",
            task_id=task_id,
            reason=reason,
            entity_id=entity_id,
            claim_token=claim_token,
        )
        return Task.from_dict(reply["task"])

    def release(
        self, task_id: str, *, entity_id: str | None = None, claim_token: int | None = None
    ) -> Task:
        """Gives a claimed task back: it is open again."""
        reply = self._call(
            "tasks.release", task_id=task_id, entity_id=entity_id, claim_token=claim_token
        )
        return Task.from_dict(reply["task"])

    def cancel(self, task_id: str, *, entity_id: str | None = None) -> Task:
        """Withdraws a task: its creator, or a human, may."""
        reply = self._call("tasks.cancel", task_id=task_id, entity_id=entity_id)
        return Task.from_dict(reply["task"])

    def reopen(self, task_id: str, *, entity_id: str | None = None) -> Task:
        """Opens a failed or cancelled task again."""
        reply = self._call("tasks.reopen", task_id=task_id, entity_id=entity_id)
        return Task.from_dict(reply["task"])

    def get_task(self, task_id: str, *, entity_id: str | None = None) -> Task:
        """One task, with its history."""
        return Task.from_dict(self._call("tasks.get", task_id=task_id, entity_id=entity_id))

    def tasks(
        self,
        *,
        status: TaskStatus | None = None,
        priority: Priority | None = None,
        requires_human: bool | None = None,
        tag: str | None = None,
        created_by: str | None = None,
        claimed_by: str | None = None,
        ready_for: str | None = None,
        entity_id: str | None = None,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Page[Task]:
        """Tasks, in order of creation. ``ready_for`` keeps those that an entity could claim now."""
        reply = self._call(
            "tasks.list",
            status=status,
            priority=priority,
            requires_human=requires_human,
            tag=tag,
            created_by=created_by,
            claimed_by=claimed_by,
            ready_for=ready_for,
            entity_id=entity_id,
            after=after,
            order=order,
            limit=limit,
        )
        return Page.read("tasks", Task.from_dict, reply)

    # Proposals.

    def propose(
        self,
        title: str,
        *,
        proposal_id: str | None = None,
        description: str | None = None,
        proposed_by: str | None = None,
        threshold: float | None = None,
        quorum: int | None = None,
        deadline: datetime | None = None,
        ttl_seconds: int | None = None,
        electorate: Iterable[str] | None = None,
        requires_human: bool = False,
        early_close: bool = True,
    ) -> Proposal:
        """Puts a question to the vote.

        It is approved when more than ``threshold`` (0.75) of *for* and *against* are for it and ``quorum`` have voted,
        at the latest at ``deadline``, which is a day away where neither it nor ``ttl_seconds`` is given.
        """
        if deadline is not None and deadline.tzinfo is None:
            detail = "deadline has no time zone; give one, such as datetime.now(timezone.utc)"
            raise Invalid(detail, "invalid_field", {"field": "deadline"})
        reply = self._call(
            "proposals.create",
            title=title,
            proposal_id=proposal_id,
            description=description,
            proposed_by=proposed_by,
            threshold=threshold,
            quorum=quorum,
            deadline=None if deadline is None else deadline.isoformat(),
            ttl_seconds=ttl_seconds,
            electorate=_texts(electorate),
            requires_human=requires_human,
            early_close=early_close,
        )
        return Proposal.from_dict(reply["proposal"])

    def vote(
        self, proposal_id: str, vote: Choice, *, entity_id: str, comment: str | None = None
    ) -> Proposal:
        """Votes, or changes one's vote; how the proposal stands now."""
        reply = self._call(
            "proposals.vote",
            proposal_id=proposal_id,
            vote=vote,
            entity_id=entity_id,
            comment=comment,
        )
        return Proposal.from_dict(reply["proposal"])

    def close_proposal(self, proposal_id: str, *, entity_id: str | None = None) -> Proposal:
        """Decides a proposal now, if no vote still out could change the outcome."""
        reply = self._call("proposals.close", proposal_id=proposal_id, entity_id=entity_id)
        return Proposal.from_dict(reply["proposal"])

    def withdraw(self, proposal_id: str, *, entity_id: str | None = None) -> Proposal:
        """Takes one's proposal back."""
        reply = self._call("proposals.withdraw", proposal_id=proposal_id, entity_id=entity_id)
        return Proposal.from_dict(reply["proposal"])

    def get_proposal(self, proposal_id: str, *, entity_id: str | None = None) -> Proposal:
        """One proposal, with its votes."""
        return Proposal.from_dict(
            self._call("proposals.get", proposal_id=proposal_id, entity_id=entity_id)
        )

    def proposals(
        self,
        *,
        status: ProposalStatus | None = None,
        entity_id: str | None = None,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Page[Proposal]:
        """Proposals, in order of creation."""
        reply = self._call(
            "proposals.list",
            status=status,
            entity_id=entity_id,
            after=after,
            order=order,
            limit=limit,
        )
        return Page.read("proposals", Proposal.from_dict, reply)

    # The hub itself.

    @property
    def epoch(self) -> str:
        """Names this history of the hub."""
        return self._native.epoch

    @property
    def head_seq(self) -> int:
        """The ``seq`` of the newest event; 0 before the first."""
        try:
            return self._native.head_seq
        except _coordhub.Refused as refused:
            raise error_of(refused.args[0]) from None

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called. Every other call then raises ``Unavailable``."""
        return self._native.closed

    def close(self) -> None:
        """Finishes what was begun, saves presence, and lets go of the file. A second call does nothing."""
        self._native.close()

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<coordhub.Hub {self._path!r}{' closed' if self.closed else ''}>"

    def _call(self, op: str, **args: Any) -> Any:
        """One operation of the contract: arguments and answer are its JSON."""
        given = {name: value for name, value in args.items() if value is not None}
        method, path = _ROUTES[op]
        try:
            return self._native.call(method, path, given)
        except _coordhub.Refused as refused:
            raise error_of(refused.args[0]) from None


_ROUTES = {
    "entities.register": ("POST", "/entities/register"),
    "entities.remove": ("DELETE", "/entities/{entity_id}"),
    "entities.heartbeat": ("POST", "/entities/{entity_id}/heartbeat"),
    "entities.list": ("GET", "/entities/list"),
    "entities.get": ("GET", "/entities/{entity_id}"),
    "messages.send": ("POST", "/messages/send"),
    "messages.for.ack": ("POST", "/messages/for/{entity_id}/ack"),
    "messages.recent": ("GET", "/messages/recent"),
    "messages.for": ("GET", "/messages/for/{entity_id}"),
    "messages.get": ("GET", "/messages/{message_id}"),
    "channels": ("GET", "/channels"),
    "tasks.create": ("POST", "/tasks/create"),
    "tasks.update": ("POST", "/tasks/{task_id}/update"),
    "tasks.claim": ("POST", "/tasks/{task_id}/claim"),
    "tasks.complete": ("POST", "/tasks/{task_id}/complete"),
    "tasks.fail": ("POST", "/tasks/{task_id}/fail"),
    "tasks.release": ("POST", "/tasks/{task_id}/release"),
    "tasks.cancel": ("POST", "/tasks/{task_id}/cancel"),
    "tasks.reopen": ("POST", "/tasks/{task_id}/reopen"),
    "tasks.list": ("GET", "/tasks/list"),
    "tasks.get": ("GET", "/tasks/{task_id}"),
    "proposals.create": ("POST", "/proposals/create"),
    "proposals.vote": ("POST", "/proposals/{proposal_id}/vote"),
    "proposals.close": ("POST", "/proposals/{proposal_id}/close"),
    "proposals.withdraw": ("POST", "/proposals/{proposal_id}/withdraw"),
    "proposals.list": ("GET", "/proposals/list"),
    "proposals.get": ("GET", "/proposals/{proposal_id}"),
}


def _texts(texts: Iterable[str] | None) -> list[str] | str | None:
    """Any iterable of texts as a list. One text alone is left as it is, for the hub to refuse: it is a mistake."""
    return texts if texts is None or isinstance(texts, str) else list(texts)
