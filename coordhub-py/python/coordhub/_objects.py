"""The contract's objects: entities, messages and channels, tasks, proposals, reservations."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from ._record import Record
from ._words import (
    Choice,
    EntityType,
    OnBlockerFailed,
    Priority,
    ProposalStatus,
    Status,
    TaskStatus,
)


class Change(Record):
    """What a change came to that has no object of its own to show."""

    status: str
    """What happened, in a word."""
    seq: int
    """The highest ``seq`` of the change."""
    already: bool = False
    """Whether nothing had to change."""

    _shown = ("status", "seq")


class Event(Record):
    """Something that happened."""

    seq: int
    at: datetime
    kind: str
    actor: str | None
    """Who did it; ``None`` where nobody was named."""
    data: dict[str, Any]

    _shown = ("seq", "kind", "actor")


# Entities.


class Entity(Record):
    """Who takes part: a session, an agent, a person, a service."""

    entity_id: str
    entity_type: EntityType
    name: str
    capabilities: tuple[str, ...]
    """What it can do; tasks may ask for these."""
    metadata: dict[str, Any]
    status: Status
    activity: str | None
    """What it said it is doing."""
    registered_at: datetime
    last_seen: datetime

    _shown = ("entity_id", "entity_type", "status")


class Registered(Entity):
    """An entity that has just registered."""

    seq: int
    token: str | None = None
    """The secret it shows from now on, where it registered by an invite. It is told once: keep it."""
    token_id: str | None = None


# Messages and channels.


class Message(Record):
    """A message, on a channel or from one entity to another. It never changes, but that it may be redacted."""

    message_id: str
    seq: int
    """Its place in the hub's one log."""
    from_entity: str
    to_entity: str | None
    """To whom alone it is addressed; ``None`` on a channel."""
    channel: str | None
    """The channel it stands on; ``None`` where it is direct."""
    content: str
    message_type: str
    metadata: dict[str, Any]
    reply_to: str | None
    thread_id: str
    """The first message of its thread, itself where it answers none."""
    ack_required: bool
    """Whether its recipients are asked to acknowledge it."""
    timestamp: datetime
    notice: bool = False
    """Whether it is the hub's own, telling of an event."""

    _shown = ("seq", "from_entity", "to_entity", "channel", "content")


class Recipients(Record):
    """How many of those who may read a message are there to see it now: "sent" is not "seen"."""

    online: int
    offline: int

    _shown = ("online", "offline")


class Sent(Message):
    """A message that was just sent, and who was there to see it."""

    recipients: Recipients
    task_id: str | None = None
    """The task that was created with it."""


class Receipt(Record):
    """What one recipient made of a message."""

    entity_id: str
    read: bool
    acked_at: datetime | None = None

    _shown = ("entity_id", "read", "acked_at")


class Receipts(Record):
    """Who has read a message, and who has acknowledged it."""

    message_id: str
    ack_required: bool
    ack_deadline: datetime | None
    resolved_at: datetime | None
    """When its roll-call was ended."""
    resolved_by: str | None
    recipients: tuple[Receipt, ...]

    _shown = ("message_id", "recipients")


class Channel(Record):
    """A channel as one reader sees it."""

    channel: str
    built_in: bool
    private: bool
    """Whether only its members may know of it, and those of its types."""
    may_post: bool
    messages: int
    """How many messages it holds."""
    last_seq: int | None
    unread: int | None
    """How many by others are not marked read; 1000 for "1000 or more"; ``None`` for an unregistered reader."""
    created_at: datetime | None

    _shown = ("channel", "messages", "unread")


class ChannelDetails(Channel):
    """A channel, and who belongs to it."""

    created_by: str | None
    members: tuple[str, ...] | None
    """``None`` where it is open to all."""
    types: tuple[EntityType, ...] | None
    """Whoever is of these types may join it."""


# Tasks.


class Question(Record):
    """What makes a task a question to a human."""

    options: tuple[str, ...]
    """The answers to choose from; any will do where there are none."""
    deadline: datetime | None
    default: str | None
    """What is taken for the answer at the deadline."""

    _shown = ("options", "deadline", "default")


class Task(Record):
    """Work that is created, claimed by exactly one, and finished."""

    task_id: str
    title: str
    description: str
    status: TaskStatus
    priority: Priority
    created_by: str | None
    claimed_by: str | None
    """Who holds it, or held it when it was finished."""
    requires_human: bool
    requires_ai: bool
    tags: tuple[str, ...]
    capabilities: tuple[str, ...]
    """What its claimer must be able to do."""
    depends_on: tuple[str, ...]
    blocked_by: tuple[str, ...]
    """Those of ``depends_on`` that are not completed yet."""
    metadata: dict[str, Any]
    result: Any
    """What came of it: any JSON value, as its holder gave it."""
    attempts: int
    max_attempts: int | None
    retry_delay_seconds: int | None
    not_before: datetime | None
    lease_expires_at: datetime | None
    """When its claim lapses; ``None`` for a claim without a lease."""
    on_blocker_failed: OnBlockerFailed
    question: Question | None
    stale: bool
    """Whether its holder, who has no lease, is offline."""
    created_at: datetime
    claimed_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime

    _shown = ("task_id", "title", "status", "claimed_by")


class Note(Record):
    """What somebody noted about a task while it was under way."""

    seq: int
    at: datetime
    entity_id: str | None
    note: str

    _shown = ("seq", "entity_id", "note")


class LateResult(Record):
    """A result that came when the task was another's already."""

    seq: int
    at: datetime
    entity_id: str | None
    claim_token: int
    result: Any

    _shown = ("seq", "entity_id", "result")


class TaskDetails(Task):
    """A task, and what happened to it."""

    history: tuple[Event, ...]
    """What happened to it, oldest first."""
    notes: tuple[Note, ...]
    late_results: tuple[LateResult, ...]


class Claim(Task):
    """A task that the caller now holds."""

    claim_token: int
    """Grows with each claim of the task: shown when completing it, it proves that the claim is still one's own."""
    already: bool = False
    """Whether the caller held it before."""


class Lease(Record):
    """Until when a task is held."""

    task_id: str
    lease_expires_at: datetime | None
    seq: int

    _shown = ("task_id", "lease_expires_at")


class Handed(Record):
    """A task that went from one entity to another."""

    task_id: str
    claim_token: int
    """The token of the new claim."""
    claimed_by: str

    _shown = ("task_id", "claimed_by")


class Handoff(Record):
    """What was handed over."""

    message_id: str
    """The message that says so."""
    seq: int
    tasks: tuple[Handed, ...]
    """Claims that another has now."""
    returned: tuple[str, ...]
    """Tasks that are open again."""
    reservations: tuple[str, ...]
    """Reservations that were passed on, or freed."""

    _shown = ("message_id", "tasks", "returned")


# Proposals.


class Tally(Record):
    """How the votes stand."""

    _renamed: ClassVar = {"for_": "for"}

    for_: int
    """Votes for. ``for`` is a word of Python's own."""
    against: int
    abstain: int
    eligible: int
    """How many may vote."""

    _shown = ("for_", "against", "abstain", "eligible")


class Vote(Record):
    """One entity's vote."""

    entity_id: str
    vote: Choice
    comment: str | None
    at: datetime

    _shown = ("entity_id", "vote", "comment")


class Proposal(Record):
    """A question put to the vote."""

    proposal_id: str
    title: str
    description: str
    proposed_by: str | None
    status: ProposalStatus
    threshold: float
    """The share of *for* among *for* and *against* that must be exceeded."""
    quorum: int
    """How many must vote."""
    deadline: datetime
    requires_human: bool
    early_close: bool
    tally: Tally
    votes: tuple[Vote, ...]
    electorate: tuple[str, ...]
    """Who may vote."""
    created_at: datetime
    decided_at: datetime | None
    forced: bool

    _shown = ("proposal_id", "title", "status", "tally")


# Reservations.


class Reservation(Record):
    """Paths that others keep out of."""

    reservation_id: str
    entity_id: str
    """Who holds it."""
    resources: tuple[str, ...]
    exclusive: bool
    reason: str | None
    ttl_seconds: int
    acquired_at: datetime
    expires_at: datetime

    _shown = ("reservation_id", "entity_id", "resources")


class ReservationConflict(Record):
    """What stands in the way of a reservation."""

    resource: str
    """What was asked for."""
    held_resource: str
    """What is reserved."""
    held_by: str
    reservation_id: str
    expires_at: datetime

    _shown = ("resource", "held_resource", "held_by")


class CheckedResource(Record):
    """Whether a path is free."""

    resource: str
    free: bool
    conflicts: tuple[ReservationConflict, ...]

    _shown = ("resource", "free")


class Attention(Record):
    """What waits for an entity: at most 100 of each, the oldest first."""

    entity_id: str
    unread_direct: tuple[Message, ...]
    acks_owed: tuple[Message, ...]
    questions: tuple[Task, ...]
    """Questions that it could answer."""
    tasks: tuple[Task, ...]
    """Tasks that it holds, or that need somebody like it."""
    proposals: tuple[Proposal, ...]
    """Open ones on which it has a vote and has not cast it."""

    _shown = ("entity_id", "unread_direct", "questions", "tasks", "proposals")
