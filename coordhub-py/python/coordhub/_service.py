"""The contract's objects about the hub itself: how it does, who may come, who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ._objects import Event, Message
from ._record import Page, Record
from ._words import EntityType, Prunable, Role


class Health(Record):
    """Whether the hub works."""

    status: str
    """``active``, or ``degraded`` while the store refuses writes."""
    service: str
    version: str
    timestamp: datetime
    uptime_seconds: float
    entities_online: int
    active_websockets: int
    messages_last_hour: int
    active_tasks: int
    """How many are not finished."""

    _shown = ("status", "version", "uptime_seconds")


class State(Record):
    """How the hub is doing. Totals count everything there ever was, but for entities."""

    status: str
    uptime_seconds: float
    requests_total: int
    requests_per_minute: float
    errors_last_hour: int
    last_restart: datetime
    resource_usage: dict[str, Any]
    entities: int
    messages: int
    tasks: int
    proposals: int
    epoch: str
    head_seq: int

    _shown = ("status", "epoch", "head_seq")


class Capabilities(Record):
    """What the hub can do."""

    service_name: str
    version: str
    features: tuple[str, ...]
    supported_entity_types: tuple[EntityType, ...]
    dependencies: tuple[str, ...]
    udc_version: str
    integration_endpoints: tuple[dict[str, Any], ...]
    metadata: dict[str, Any]

    _shown = ("service_name", "version")


class Dependencies(Record):
    """What the hub depends on."""

    required: tuple[dict[str, Any], ...]
    optional: tuple[dict[str, Any], ...]
    missing: tuple[dict[str, Any], ...]

    _shown = ("required", "missing")


class Received(Record):
    """That a message between UDC services was kept."""

    received: bool
    trace_id: str
    message_id: str
    processed_at: datetime
    result: dict[str, Any]

    _shown = ("trace_id", "message_id")


class UdcForm(Record):
    """What a message between UDC services may hold."""

    endpoint: str
    message_types: tuple[str, ...]
    fields: tuple[dict[str, Any], ...]

    _shown = ("endpoint", "message_types")


class Session(Record):
    """Whether callers show tokens here, and who one is."""

    auth: str
    """``open``: callers name themselves; ``token``: they show a token."""
    entity_id: str | None
    role: Role | None
    signed_in: bool

    _shown = ("auth", "entity_id", "role")


# Who may come.


class Token(Record):
    """A token, without its secret."""

    token_id: str
    entity_id: str
    name: str
    role: Role
    created_at: datetime
    created_by: str | None
    first_used_at: datetime | None
    rotated_at: datetime | None
    invite_id: str | None

    _shown = ("token_id", "entity_id", "name", "role")


class Issued(Token):
    """A token that was just made, or whose secret was just changed."""

    seq: int
    token: str | None = None
    """Its secret. It is told once, and not again under the same idempotency key."""


class Invite(Record):
    """An invite, without its secret."""

    invite_id: str
    name: str
    role: Role
    entity_types: tuple[EntityType, ...]
    entity_ids: tuple[str, ...]
    uses: int
    uses_max: int
    created_at: datetime
    created_by: str | None
    expires_at: datetime

    _shown = ("invite_id", "name", "entity_types")


class Invited(Invite):
    """An invite that was just made."""

    seq: int
    secret: str | None = None
    """What its guests show. It is told once, and not again under the same idempotency key."""
    link: str | None = None
    """The address of the page that a human who is invited goes to."""


class Pruned(Record):
    """What is being given up."""

    status: str
    kind: Prunable
    before: datetime
    """What is older than this goes."""

    _shown = ("kind", "before")


# Who did what.


class AuditEntry(Record):
    """A change, without its content."""

    seq: int
    timestamp: datetime
    kind: str
    actor: str | None
    auth: str
    """How the hub knew who that was."""
    about: dict[str, Any]
    """What it was about: ids and places, nothing else."""
    bytes: int
    """How many bytes its content has, which is not shown."""

    _shown = ("seq", "kind", "actor")


class Refusal(Record):
    """Refusals that are alike, counted."""

    refusal_id: int
    kind: str
    """Their code."""
    route: str
    status: int
    entity_id: str | None
    address: str | None
    first_at: datetime
    last_at: datetime
    count: int

    _shown = ("refusal_id", "kind", "route", "count")


class Gap(Record):
    """What could not be resumed: the position is of another history, or events were pruned."""

    reason: str
    """``other_history`` or ``pruned``."""
    oldest_seq: int
    head_seq: int

    _shown = ("reason", "oldest_seq", "head_seq")


class EventPage(Page[Event]):
    """Events since a position. ``next`` is where to go on: give it as ``since``, with the epoch before it."""

    epoch: str
    """Names the history that ``next`` is a position of."""
    gap: Gap | None = None
    """What could not be resumed, where something could not."""

    @property
    def position(self) -> str:
        """Where to go on, as ``<epoch>:<seq>``: another history is then told apart."""
        return f"{self.epoch}:{self.next}"


class SearchPage(Page[Message]):
    """What a search found."""

    indexed_up_to: int
    """Up to which ``seq`` messages could be found: the index runs a little behind the log."""
