"""What goes wrong on purpose, and for which request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.sandbox.chance import draw

_NOBODY: frozenset[str] = frozenset()


class FaultKind(StrEnum):
    """How the answer to one request goes wrong."""

    NONE = "none"  # answered as usual, perhaps late
    STATUS = "status"  # this status instead of the usual one
    CLOSED_BEFORE = "closed_before"  # connection closed, call not placed
    CLOSED_AFTER = "closed_after"  # connection closed, call placed
    SILENT_BEFORE = "silent_before"  # never answered, call not placed
    SILENT_AFTER = "silent_after"  # never answered, call placed
    CUT = "cut"  # call placed, the answer breaks off
    NOT_JSON = "not_json"  # call placed, the answer is no JSON
    NO_CALL_ID = "no_call_id"  # call placed, the answer lacks its id


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One thing that goes wrong.

    Attributes:
        kind: What happens.
        placed: The call is placed all the same.
        latency_seconds: How long the answer waits; the call, if any, is placed before.
        status: Status of a ``status`` fault, 200 to 599.
        retry_after: ``Retry-After`` of a ``status`` fault as sent, "" for none.
        body: Body of a ``status`` fault; None for the usual error of that status.
        content_type: Content type of *body*.
        headers: Further headers of a ``status`` fault.
        keep_share: Share of the answer that a ``cut`` still sends, 0 to 1.
        times: How often it happens to one contact; 0 = always.
    """

    kind: FaultKind = FaultKind.NONE
    placed: bool = True
    latency_seconds: float = 0.0
    status: int = 0
    retry_after: str = ""
    body: bytes | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    keep_share: float = 0.5
    times: int = 0


NO_FAULT = Fault()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceFault:
    """
    A fault that strikes at random.

    Attributes:
        probability: Share of the requests it strikes, above 0, up to 1.
        fault: What happens.
    """

    probability: float
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """
    All that goes wrong in one sandbox.

    Attributes:
        seed: Decides whom the random faults strike.
        contacts: Contact id (or number dialled) -> its faults, each used up in turn.
        by_chance: Random faults for everyone else; their probabilities add up to at most 1.
        unknown_contacts: Ids answered with 404.
        unknown_agents: Ids answered with 404.
        unknown_numbers: Ids (or numbers to call from) answered with 404.
    """

    seed: int = 0
    contacts: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    by_chance: tuple[ChanceFault, ...] = ()
    unknown_contacts: frozenset[str] = _NOBODY
    unknown_agents: frozenset[str] = _NOBODY
    unknown_numbers: frozenset[str] = _NOBODY


class FaultPicker:
    """
    Hands each request its fault.

    A random fault depends on the seed, the contact and how often it was asked for, not on the
    order in which concurrent requests arrive, so a rehearsal can be repeated exactly.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._asked: Counter[str] = Counter()
        self._struck: Counter[tuple[str, int]] = Counter()

    def pick(self, contact_id: str) -> Fault:
        """Return what goes wrong with this request to *contact_id*, ``NO_FAULT`` for nothing."""
        if contact_id in self._faults.contacts:
            for index, fault in enumerate(self._faults.contacts[contact_id]):
                if self._strikes(contact_id, index, fault):
                    return fault
        elif self._faults.by_chance:
            return self._by_chance(contact_id)
        return NO_FAULT

    def _by_chance(self, contact_id: str) -> Fault:
        self._asked[contact_id] += 1
        number = draw("fault", self._faults.seed, contact_id, self._asked[contact_id])
        for index, chance in enumerate(self._faults.by_chance):
            if number < chance.probability:
                strikes = self._strikes(contact_id, index, chance.fault)
                return chance.fault if strikes else NO_FAULT
            number -= chance.probability
        return NO_FAULT

    def _strikes(self, contact_id: str, index: int, fault: Fault) -> bool:
        if fault.times and self._struck[contact_id, index] >= fault.times:
            return False
        self._struck[contact_id, index] += 1
        return True
