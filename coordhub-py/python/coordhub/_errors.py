"""What can go wrong: one class for each way to react to it, one stable code for each reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class HubError(Exception):
    """The hub did not do what was asked.

    ``str(error)`` is a sentence a person can act on, and may get better. Programs go by the class and by ``code``,
    which stay; ``facts`` is whatever else a program may want to know, by the contract's names.
    """

    code: str
    facts: Mapping[str, Any]

    def __init__(
        self, detail: str, code: str = "internal", facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.facts = dict(facts or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.code, self.facts)

    @property
    def detail(self) -> str:
        """The sentence: the same as ``str(error)``."""
        return str(self)


class NotFound(HubError):
    """There is no such thing, or none that the reader may see."""


class Conflict(HubError):
    """What was asked does not fit how things stand. Look again before doing anything else."""


class AlreadyClaimed(Conflict):
    """Another claimed the task first."""

    @property
    def claimed_by(self) -> str:
        """Who holds it."""
        return str(self.facts.get("claimed_by", ""))


class StaleClaim(Conflict):
    """The claim token is not that of the task's present claim: the task was given to another since."""


class Forbidden(HubError):
    """The caller may not do this, or there is no caller and there must be one."""


class Unauthorized(HubError):
    """The hub wants a token, and got none, or none that is good."""


class Invalid(HubError):
    """An argument holds what it may not hold."""

    @property
    def field(self) -> str:
        """Which argument."""
        return str(self.facts.get("field", ""))


class Unavailable(HubError):
    """The hub was closed, or its disk takes no changes now. Reads may go on."""

    @property
    def outcome_unknown(self) -> bool:
        """Whether the change may have been made: look before trying again. Otherwise nothing was changed."""
        return self.facts.get("outcome") == "unknown"


class Unreachable(Unavailable):
    """The hub cannot be reached over the network."""


class TimedOut(Unavailable, TimeoutError):
    """The hub did not answer in time, or what was waited for did not happen in time."""


class RateLimited(HubError):
    """More came than one entity, or one address, may send. Nothing was changed."""

    @property
    def retry_after(self) -> float:
        """After how many seconds to try again."""
        if "retry_after_ms" in self.facts:
            return float(self.facts["retry_after_ms"]) / 1_000
        return float(self.facts.get("retry_after") or 1)


class Busy(HubError):
    """The hub has more to do than it can take in. Nothing was changed; try again in a moment."""


class Forked(HubError):
    """The process has forked since the hub was opened or connected to. Open or connect anew in the child."""


class Unanswered(HubError):
    """A question will have no answer: it was cancelled, or its deadline passed without a default."""


class HistoryGap(HubError):
    """Events were missed, for good: the hub has another history, or what was missed is pruned.

    The stream can be gone on with. What was built on events before is to be built anew.
    """

    @property
    def reason(self) -> str:
        """``other_history`` or ``pruned``: the same as ``code``."""
        return self.code

    @property
    def head_seq(self) -> int:
        """The ``seq`` of the newest event there is."""
        return int(self.facts.get("head_seq", 0))


class StoreError(HubError):
    """The hub's file cannot be opened. It was left as it was."""


_CLASSES: dict[str, type[HubError]] = {
    "unknown_entity": NotFound,
    "unknown_recipient": NotFound,
    "unknown_message": NotFound,
    "unknown_channel": NotFound,
    "unknown_task": NotFound,
    "unknown_proposal": NotFound,
    "unknown_reservation": NotFound,
    "unknown_token": NotFound,
    "unknown_invite": NotFound,
    "unknown_path": NotFound,
    "unauthorized": Unauthorized,
    "task_already_claimed": AlreadyClaimed,
    "stale_claim": StaleClaim,
    "type_is_fixed": Conflict,
    "channel_exists": Conflict,
    "task_exists": Conflict,
    "proposal_exists": Conflict,
    "task_not_open": Conflict,
    "task_blocked": Conflict,
    "task_scheduled": Conflict,
    "claim_token_required": Conflict,
    "not_a_question": Conflict,
    "ack_not_asked": Conflict,
    "no_roll_call": Conflict,
    "reservation_conflict": Conflict,
    "task_not_claimed": Conflict,
    "not_holder": Conflict,
    "already_completed": Conflict,
    "task_not_reopenable": Conflict,
    "proposal_closed": Conflict,
    "not_decided_yet": Conflict,
    "last_admin_token": Conflict,
    "caller_needed": Forbidden,
    "not_allowed": Forbidden,
    "channel_forbidden": Forbidden,
    "reserved_type": Forbidden,
    "requires_human": Forbidden,
    "requires_ai": Forbidden,
    "missing_capabilities": Forbidden,
    "not_in_electorate": Forbidden,
    "caller_mismatch": Forbidden,
    "address_not_allowed": Forbidden,
    "origin_not_allowed": Forbidden,
    "host_not_allowed": Forbidden,
    "observer": Forbidden,
    "invite_needed": Forbidden,
    "invite_refused": Forbidden,
    "invalid_field": Invalid,
    "idempotency_key_reused": Invalid,
    "too_large": Invalid,
    "body_too_large": Invalid,
    "not_json": Invalid,
    "unavailable": Unavailable,
    "closed": Unavailable,
    "unreachable": Unreachable,
    "timed_out": TimedOut,
    "too_slow": TimedOut,
    "too_fast": RateLimited,
    "too_many_open": RateLimited,
    "forked": Forked,
    "unanswered": Unanswered,
    "other_history": HistoryGap,
    "pruned": HistoryGap,
    "busy": Busy,
    "store_in_use": StoreError,
    "store_foreign": StoreError,
    "store_newer": StoreError,
    "store_damaged": StoreError,
    "store_unreadable": StoreError,
}


def error_of(problem: Mapping[str, Any]) -> HubError:
    """The exception for a refusal as the contract writes it: an object with code, detail and facts."""
    facts = {name: value for name, value in problem.items() if name not in ("code", "detail")}
    code = str(problem.get("code", "internal"))
    return _CLASSES.get(code, HubError)(str(problem.get("detail", code)), code, facts)
