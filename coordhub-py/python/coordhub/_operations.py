"""Every operation of the contract: its method, its path, and how its reply is read.

The methods of a hub (``_calls/``) say which arguments an operation takes; the same table serves the hub in this
process, the one over the network, and both for asyncio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from ._objects import (
    Attention,
    Change,
    Channel,
    ChannelDetails,
    CheckedResource,
    Claim,
    Entity,
    Event,
    Handoff,
    Lease,
    Message,
    Proposal,
    Receipts,
    Registered,
    Reservation,
    Sent,
    Task,
    TaskDetails,
)
from ._record import Page, Record, time_of
from ._service import (
    AuditEntry,
    Capabilities,
    Dependencies,
    EventPage,
    Gap,
    Health,
    Invite,
    Invited,
    Issued,
    Pruned,
    Received,
    Refusal,
    SearchPage,
    Session,
    State,
    Token,
    UdcForm,
)

T = TypeVar("T")
R = TypeVar("R", bound=Record)
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """One operation of the contract."""

    method: str
    path: str
    """Its path, with ``{name}`` where an argument stands."""
    read: Callable[[Reply], T]
    """Makes an object of its reply."""

    @property
    def role(self) -> str | None:
        """What the program that opened a hub calls it as, where that must be more than a member."""
        return "admin" if self.path.startswith(("/admin/", "/audit")) else None


def _noun(kind: type[R], noun: str) -> Callable[[Reply], R]:
    """The object that a change is about."""
    return lambda reply: kind.from_dict(reply[noun])


def _beside(kind: type[R], noun: str, *names: str) -> Callable[[Reply], R]:
    """The object that a change is about, with what stands beside it in the reply."""

    def read(reply: Reply) -> R:
        fields = reply[noun]
        for name in names:
            if name in reply:
                fields[name] = reply[name]
        return kind.from_dict(fields)

    return read


def _page(kind: type[R], plural: str) -> Callable[[Reply], Page[R]]:
    return lambda reply: Page.read(plural, kind.from_dict, reply)


def _all(kind: type[R], plural: str) -> Callable[[Reply], tuple[R, ...]]:
    return lambda reply: tuple(map(kind.from_dict, reply[plural]))


def _sent(reply: Reply) -> tuple[Message, ...]:
    return tuple(Message.from_dict(one["message"]) for one in reply["messages"])


def _claimed(reply: Reply) -> Claim | None:
    return None if reply.get("task") is None else _CLAIM(reply)


def _events(reply: Reply) -> EventPage:
    page = EventPage.read("events", Event.from_dict, reply)
    if page.gap is not None:
        page.gap = Gap.from_dict(reply["gap"])
    return page


def _found(reply: Reply) -> SearchPage:
    return SearchPage.read("messages", Message.from_dict, reply)


def _last_seen(reply: Reply) -> datetime:
    return time_of(reply["last_seen"])


def _document(reply: Reply) -> dict[str, Any]:
    return reply


_CLAIM = _beside(Claim, "task", "claim_token", "already")
_TASK = _noun(Task, "task")
_CHANGE = Change.from_dict
_PROPOSAL = _noun(Proposal, "proposal")
_RESERVATION = _noun(Reservation, "reservation")
_ISSUED = _beside(Issued, "token_info", "token", "seq")

# Entities.
REGISTER = Operation(
    "POST",
    "/entities/register",
    _beside(Registered, "entity", "seq", "token", "token_id"),
)
ENTITIES = Operation("GET", "/entities/list", _page(Entity, "entities"))
GET_ENTITY = Operation("GET", "/entities/{id}", Entity.from_dict)
REMOVE = Operation("DELETE", "/entities/{id}", _CHANGE)
HEARTBEAT = Operation("POST", "/entities/{entity_id}/heartbeat", _last_seen)
HAND_OFF = Operation("POST", "/entities/{id}/handoff", Handoff.from_dict)
ATTENTION = Operation("GET", "/entities/{entity_id}/attention", Attention.from_dict)

# Messages.
SEND = Operation("POST", "/messages/send", _beside(Sent, "message", "recipients", "task_id"))
SEND_MESSAGES = Operation("POST", "/messages/send-batch", _sent)
RECENT = Operation("GET", "/messages/recent", _page(Message, "messages"))
SEARCH = Operation("GET", "/messages/search", _found)
MESSAGES_FOR = Operation("GET", "/messages/for/{entity_id}", _page(Message, "messages"))
MARK_READ = Operation("POST", "/messages/for/{entity_id}/ack", _CHANGE)
GET_MESSAGE = Operation("GET", "/messages/{message_id}", Message.from_dict)
RECEIPTS = Operation("GET", "/messages/{message_id}/receipts", Receipts.from_dict)
ACK = Operation("POST", "/messages/{message_id}/ack", _CHANGE)
RESOLVE = Operation("POST", "/messages/{message_id}/resolve", _CHANGE)
REDACT = Operation("POST", "/messages/{message_id}/redact", _CHANGE)

# Channels.
CHANNELS = Operation("GET", "/channels", _page(Channel, "channels"))
GET_CHANNEL = Operation("GET", "/channels/{channel}", ChannelDetails.from_dict)
CREATE_CHANNEL = Operation("POST", "/channels/create", _CHANGE)
JOIN_CHANNEL = Operation("POST", "/channels/{channel}/join", _CHANGE)
LEAVE_CHANNEL = Operation("POST", "/channels/{channel}/leave", _CHANGE)
INVITE_TO_CHANNEL = Operation("POST", "/channels/{channel}/invite", _CHANGE)

# Tasks and questions.
CREATE_TASK = Operation("POST", "/tasks/create", _TASK)
CREATE_TASKS = Operation("POST", "/tasks/create-batch", _all(Task, "tasks"))
TASKS = Operation("GET", "/tasks/list", _page(Task, "tasks"))
GET_TASK = Operation("GET", "/tasks/{task_id}", TaskDetails.from_dict)
UPDATE_TASK = Operation("POST", "/tasks/{task_id}/update", _TASK)
CLAIM = Operation("POST", "/tasks/{task_id}/claim", _CLAIM)
CLAIM_NEXT = Operation("POST", "/tasks/claim-next", _claimed)
RENEW = Operation("POST", "/tasks/{task_id}/heartbeat", Lease.from_dict)
COMPLETE = Operation("POST", "/tasks/{task_id}/complete", _TASK)
FAIL = Operation("POST", "/tasks/{task_id}/fail", _TASK)
RELEASE = Operation("POST", "/tasks/{task_id}/release", _TASK)
REASSIGN = Operation("POST", "/tasks/{task_id}/reassign", _TASK)
CANCEL = Operation("POST", "/tasks/{task_id}/cancel", _TASK)
REOPEN = Operation("POST", "/tasks/{task_id}/reopen", _TASK)
ASK_QUESTION = Operation("POST", "/questions/ask", _TASK)
ANSWER = Operation("POST", "/tasks/{task_id}/answer", _TASK)

# Reservations.
RESERVE = Operation("POST", "/reservations/acquire", _RESERVATION)
RENEW_RESERVATION = Operation("POST", "/reservations/renew", _RESERVATION)
RELEASE_RESERVATION = Operation("POST", "/reservations/release", _CHANGE)
RESERVATIONS = Operation("GET", "/reservations/list", _page(Reservation, "reservations"))
CHECK = Operation("POST", "/reservations/check", _all(CheckedResource, "resources"))

# Proposals.
CREATE_PROPOSAL = Operation("POST", "/proposals/create", _PROPOSAL)
PROPOSALS = Operation("GET", "/proposals/list", _page(Proposal, "proposals"))
GET_PROPOSAL = Operation("GET", "/proposals/{proposal_id}", Proposal.from_dict)
VOTE = Operation("POST", "/proposals/{proposal_id}/vote", _PROPOSAL)
CLOSE_PROPOSAL = Operation("POST", "/proposals/{proposal_id}/close", _PROPOSAL)
WITHDRAW = Operation("POST", "/proposals/{proposal_id}/withdraw", _PROPOSAL)

# The log, and the hub itself.
READ_EVENTS = Operation("GET", "/events", _events)
SESSION = Operation("GET", "/session", Session.from_dict)
HEALTH = Operation("GET", "/health", Health.from_dict)
STATE = Operation("GET", "/state", State.from_dict)
CAPABILITIES = Operation("GET", "/capabilities", Capabilities.from_dict)
DEPENDENCIES = Operation("GET", "/dependencies", Dependencies.from_dict)
SEND_UDC = Operation("POST", "/message", Received.from_dict)
UDC_FORM = Operation("GET", "/message", UdcForm.from_dict)
OPENAPI = Operation("GET", "/openapi.json", _document)

# Who may come, and who did what.
CREATE_INVITE = Operation(
    "POST", "/admin/invites", _beside(Invited, "invite", "secret", "link", "seq")
)
INVITES = Operation("GET", "/admin/invites", _page(Invite, "invites"))
REVOKE_INVITE = Operation("DELETE", "/admin/invites/{invite_id}", _CHANGE)
CREATE_TOKEN = Operation("POST", "/admin/tokens", _ISSUED)
TOKENS = Operation("GET", "/admin/tokens", _page(Token, "tokens"))
ROTATE_TOKEN = Operation("POST", "/admin/tokens/{token_id}/rotate", _ISSUED)
REVOKE_TOKEN = Operation("DELETE", "/admin/tokens/{token_id}", _CHANGE)
PRUNE = Operation("POST", "/admin/prune", Pruned.from_dict)
AUDIT = Operation("GET", "/audit", _page(AuditEntry, "events"))
REFUSALS = Operation("GET", "/audit/refusals", _page(Refusal, "refusals"))
