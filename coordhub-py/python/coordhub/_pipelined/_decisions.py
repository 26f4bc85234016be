# Written by generate.py from _calls: change those.
"""Proposals that are voted on, and reservations of paths."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from .. import _operations as op
from .._objects import Change, CheckedResource, Proposal, Reservation
from .._pending import Pending
from .._record import Page
from .._words import Choice, Order, ProposalStatus
from ._base import Base


class DecisionCalls(Base, Protocol):
    """Deciding together, and keeping out of each other's way."""

    def create_proposal(
        self,
        title: str,
        *,
        proposal_id: str | None = None,
        description: str | None = None,
        proposed_by: str | None = None,
        threshold: float | None = None,
        quorum: int | None = None,
        deadline: datetime | timedelta | None = None,
        ttl_seconds: int | None = None,
        electorate: Iterable[str] | None = None,
        requires_human: bool | None = None,
        early_close: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Proposal]:
        """Puts a question to the vote, and does not wait for the outcome.

        It is approved when more than ``threshold`` (0.75) of *for* and *against* are for it and ``quorum`` have voted,
        at the latest at ``deadline``, which is a day away where neither it nor ``ttl_seconds`` is given.
        """
        args = {
            "title": title,
            "proposal_id": proposal_id,
            "description": description,
            "proposed_by": proposed_by,
            "threshold": threshold,
            "quorum": quorum,
            "deadline": deadline,
            "ttl_seconds": ttl_seconds,
            "electorate": electorate,
            "requires_human": requires_human,
            "early_close": early_close,
        }
        return self._call(op.CREATE_PROPOSAL, args, idempotency_key)

    def proposals(
        self,
        *,
        status: ProposalStatus | None = None,
        entity_id: str | None = None,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Pending[Page[Proposal]]:
        """Proposals, in order of creation."""
        args = {
            "status": status,
            "entity_id": entity_id,
            "after": after,
            "order": order,
            "limit": limit,
        }
        return self._call(op.PROPOSALS, args)

    def get_proposal(
        self,
        proposal_id: str,
        *,
        wait_seconds: int | None = None,
        entity_id: str | None = None,
    ) -> Pending[Proposal]:
        """One proposal, with its votes; with ``wait_seconds``, at most 60, when it is decided or the time is up."""
        args = {
            "proposal_id": proposal_id,
            "wait_seconds": wait_seconds,
            "entity_id": entity_id,
        }
        return self._call(op.GET_PROPOSAL, args)

    def vote(
        self,
        proposal_id: str,
        vote: Choice,
        *,
        entity_id: str | None = None,
        comment: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Proposal]:
        """Votes, or changes one's vote; how the proposal stands now."""
        args = {
            "proposal_id": proposal_id,
            "vote": vote,
            "entity_id": entity_id,
            "comment": comment,
        }
        return self._call(op.VOTE, args, idempotency_key)

    def close_proposal(
        self,
        proposal_id: str,
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Proposal]:
        """Decides a proposal now, if no vote still out could change the outcome."""
        args = {"proposal_id": proposal_id, "entity_id": entity_id}
        return self._call(op.CLOSE_PROPOSAL, args, idempotency_key)

    def withdraw(
        self,
        proposal_id: str,
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Proposal]:
        """Takes one's proposal back."""
        args = {"proposal_id": proposal_id, "entity_id": entity_id}
        return self._call(op.WITHDRAW, args, idempotency_key)

    # Reservations.

    def reserve(
        self,
        resources: Iterable[str],
        *,
        exclusive: bool | None = None,
        ttl_seconds: int | None = None,
        reason: str | None = None,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Reservation]:
        """Keeps others out of paths one works on: all, or none. Patterns hold ``*`` and ``**``.

        It ends after ``ttl_seconds`` (3,600), or a minute after its holder went offline.
        """
        args = {
            "resources": resources,
            "exclusive": exclusive,
            "ttl_seconds": ttl_seconds,
            "reason": reason,
            "entity_id": entity_id,
        }
        return self._call(op.RESERVE, args, idempotency_key)

    def renew_reservation(
        self,
        reservation_id: str,
        *,
        ttl_seconds: int | None = None,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Reservation]:
        """Keeps a reservation for longer."""
        args = {
            "reservation_id": reservation_id,
            "ttl_seconds": ttl_seconds,
            "entity_id": entity_id,
        }
        return self._call(op.RENEW_RESERVATION, args, idempotency_key)

    def release_reservation(
        self,
        reservation_id: str,
        *,
        entity_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Pending[Change]:
        """Gives a reservation up."""
        args = {"reservation_id": reservation_id, "entity_id": entity_id}
        return self._call(op.RELEASE_RESERVATION, args, idempotency_key)

    def reservations(
        self,
        *,
        held_by: str | None = None,
        entity_id: str | None = None,
        after: int | None = None,
        order: Order | None = None,
        limit: int | None = None,
    ) -> Pending[Page[Reservation]]:
        """What is reserved, in order of acquisition."""
        args = {
            "held_by": held_by,
            "entity_id": entity_id,
            "after": after,
            "order": order,
            "limit": limit,
        }
        return self._call(op.RESERVATIONS, args)

    def check(
        self,
        resources: Iterable[str],
        *,
        exclusive: bool | None = None,
        entity_id: str | None = None,
    ) -> Pending[tuple[CheckedResource, ...]]:
        """Who has reserved which of many paths; changes nothing."""
        args = {"resources": resources, "exclusive": exclusive, "entity_id": entity_id}
        return self._call(op.CHECK, args)
