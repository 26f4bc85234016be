"""What the hub answers with: the contract's objects, frozen, with times as ``datetime``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, ClassVar, Literal, TypeVar

EntityType = Literal["claude_session", "ai_agent", "human", "service"]
"""What an entity is. *AI* means the first two."""
Status = Literal["online", "idle", "offline"]
"""How lately an entity was heard of."""
Priority = Literal["urgent", "high", "normal", "low"]
"""How soon a task should be done."""
TaskStatus = Literal[
    "open", "in_progress", "completed", "failed", "cancelled", "blocked", "scheduled"
]
"""Where a task stands."""
ProposalStatus = Literal["open", "approved", "rejected", "expired", "withdrawn"]
"""Where a proposal stands."""
Choice = Literal["for", "against", "abstain"]
"""A vote."""
Order = Literal["asc", "desc"]
"""Which way a list goes by creation: the oldest first, or the newest."""

T = TypeVar("T")
R = TypeVar("R", bound="Record")


def time_of(text: str) -> datetime:
    """Reads the hub's RFC 3339. ``fromisoformat`` of Python 3.10 does not know ``Z``."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def time_text(time: datetime) -> str:
    """Writes a time as the hub does: UTC, milliseconds, ``Z``."""
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z"


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


@dataclass(frozen=True, repr=False)
class Record:
    """What all of the hub's objects have in common."""

    _readers: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    """How a field's JSON becomes its value, where it is not the value itself."""
    _shown: ClassVar[tuple[str, ...]] = ()
    """The fields that tell one object from another at a glance."""

    @classmethod
    def from_dict(cls: type[R], fields: Mapping[str, Any]) -> R:
        """Reads the contract's JSON object. What a newer hub adds to it is kept."""
        values = dict(fields)
        for name, read in cls._readers.items():
            if values.get(name) is not None:
                values[name] = read(values[name])
        # As unpickling would, and much faster than an __init__ that must go round its own ban on setting attributes.
        record = object.__new__(cls)
        record.__dict__.update(values)
        return record

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON object: plain values, times as RFC 3339 text. Changing it changes nothing else."""
        return {name: _plain(value) for name, value in self.__dict__.items()}

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name, None)!r}" for name in self._shown)
        return f"{type(self).__name__}({', '.join(shown)})"


class Page(tuple[T, ...]):
    """A part of a list. ``next`` is the position it was read up to: give it as ``after`` for the next page."""

    next: int

    @classmethod
    def read(
        cls, plural: str, read: Callable[[Mapping[str, Any]], T], reply: Mapping[str, Any]
    ) -> Page[T]:
        """Reads the contract's list."""
        page = cls(read(item) for item in reply[plural])
        page.next = reply["next"]
        return page


@dataclass(frozen=True, repr=False)
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

    _readers = {"capabilities": tuple, "registered_at": time_of, "last_seen": time_of}
    _shown = ("entity_id", "entity_type", "status")


@dataclass(frozen=True, repr=False)
class Message(Record):
    """A message, on a channel or from one entity to another. It never changes after it was sent."""

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
    timestamp: datetime

    _readers = {"timestamp": time_of}
    _shown = ("seq", "from_entity", "to_entity", "channel", "content")


@dataclass(frozen=True, repr=False)
class Recipients(Record):
    """How many of those who may read a message are there to see it now: "sent" is not "seen"."""

    online: int
    offline: int

    _shown = ("online", "offline")


@dataclass(frozen=True, repr=False)
class Sent(Message):
    """A message that was just sent, and who was there to see it."""

    recipients: Recipients

    _readers = {**Message._readers, "recipients": Recipients.from_dict}


@dataclass(frozen=True, repr=False)
class Event(Record):
    """Something that happened."""

    seq: int
    at: datetime
    kind: str
    actor: str | None
    """Who did it; ``None`` where nobody was named."""
    data: dict[str, Any]

    _readers = {"at": time_of}
    _shown = ("seq", "kind", "actor")


@dataclass(frozen=True, repr=False)
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
    stale: bool
    """Whether its holder is offline."""
    created_at: datetime
    claimed_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    history: tuple[Event, ...] = ()
    """What happened to it, oldest first. Only ``get_task`` gives it."""

    _readers = {
        **{name: tuple for name in ("tags", "capabilities", "depends_on", "blocked_by")},
        **{name: time_of for name in ("not_before", "lease_expires_at", "created_at")},
        **{name: time_of for name in ("claimed_at", "completed_at", "updated_at")},
        "history": lambda events: tuple(Event.from_dict(event) for event in events),
    }
    _shown = ("task_id", "title", "status", "claimed_by")


@dataclass(frozen=True, repr=False)
class Claim(Task):
    """A task that the caller now holds."""

    claim_token: int = 0
    """Grows with each claim of the task: shown when completing it, it proves that the claim is still one's own."""
    already: bool = False
    """Whether the caller held it before."""


@dataclass(frozen=True, repr=False)
class Tally(Record):
    """How the votes stand."""

    for_: int
    """Votes for. ``for`` is a word of Python's own."""
    against: int
    abstain: int
    eligible: int
    """How many may vote."""

    _shown = ("for_", "against", "abstain", "eligible")

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Tally:
        """Reads the contract's JSON object."""
        return super().from_dict(
            {"for_" if name == "for" else name: value for name, value in fields.items()}
        )

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON object."""
        return {"for" if name == "for_" else name: value for name, value in self.__dict__.items()}


@dataclass(frozen=True, repr=False)
class Vote(Record):
    """One entity's vote."""

    entity_id: str
    vote: Choice
    comment: str | None
    at: datetime

    _readers = {"at": time_of}
    _shown = ("entity_id", "vote", "comment")


@dataclass(frozen=True, repr=False)
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

    _readers = {
        "tally": Tally.from_dict,
        "votes": lambda votes: tuple(Vote.from_dict(vote) for vote in votes),
        "electorate": tuple,
        **{name: time_of for name in ("deadline", "created_at", "decided_at")},
    }
    _shown = ("proposal_id", "title", "status", "tally")


@dataclass(frozen=True, repr=False)
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

    _readers = {"created_at": time_of}
    _shown = ("channel", "messages", "unread")
