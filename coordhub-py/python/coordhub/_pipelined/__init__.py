# Written by generate.py from _calls: change those.
"""What a hub can be asked, with names and types: one method for each operation of the contract."""

from __future__ import annotations

from typing import Protocol

from ._decisions import DecisionCalls
from ._entities import EntityCalls
from ._messages import MessageCalls
from ._service import ServiceCalls
from ._tasks import TaskCalls


class Calls(EntityCalls, MessageCalls, TaskCalls, DecisionCalls, ServiceCalls, Protocol):
    """Everything a hub can be asked.

    Arguments have the contract's names. Whoever acts is named with every call, as ``entity_id``, ``from_entity``,
    ``created_by``, ``asked_by`` or ``proposed_by``, but where the hub knows already: from the token that a
    connection shows, or because it is an entity's own handle. A read shows what that one may read.

    A method that changes something returns when the change is on disk. With the same ``idempotency_key`` it can be
    called again, after a lost answer, and changes nothing more.
    """
