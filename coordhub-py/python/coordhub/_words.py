"""The words that the hub's objects use: what an entity may be, where a task may stand."""

from __future__ import annotations

from typing import Literal

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
OnBlockerFailed = Literal["hold", "cancel"]
"""What becomes of a task when one that it depends on fails or is cancelled."""
ProposalStatus = Literal["open", "approved", "rejected", "expired", "withdrawn"]
"""Where a proposal stands."""
Choice = Literal["for", "against", "abstain"]
"""A vote."""
Order = Literal["asc", "desc"]
"""Which way a list goes by creation: the oldest first, or the newest."""
Role = Literal["admin", "member", "observer"]
"""What a token is good for."""
Prunable = Literal["messages", "tasks", "proposals"]
"""What an admin may give up while the hub runs: tasks and proposals only where they are finished."""
UdcType = Literal["status", "event", "command", "query"]
"""What a message between UDC services is."""
