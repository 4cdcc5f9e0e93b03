"""The calls the sandbox truly placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from types import MappingProxyType

from dispatcher.model import Schedule

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOrder:
    """
    What a valid request asks for.

    Attributes:
        contact_id: Contact to be called, "" for a bare number.
        agent_id: Agent that speaks.
        from_number_id: Id of the number that calls; the number itself for a bare number.
        to_number: Number to be called (E.164) where there is no contact, else "".
        full_name: Name that came with *to_number*, else "".
        additional_data: (key, value) in the order sent.
        metadata: As sent.
        schedule: Wished moment, or None.
        delay_minutes: As sent, 0 for none.
    """

    contact_id: str = ""
    agent_id: str
    from_number_id: str
    to_number: str = ""
    full_name: str = ""
    additional_data: tuple[tuple[str, str], ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)
    schedule: Schedule | None = None
    delay_minutes: float = 0.0

    @property
    def callee(self) -> str:
        """Who is called: the contact's id, or the bare number."""
        return self.contact_id or self.to_number


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCall:
    """
    One call that was placed.

    Attributes:
        call_id: Its id, beginning with the prefix of the options.
        number: Its place in the record, from 0.
        created_at: Aware UTC.
        order: What was asked for.
    """

    call_id: str
    number: int
    created_at: datetime
    order: CallOrder

    @property
    def contact_id(self) -> str:
        """Contact called, "" for a bare number."""
        return self.order.contact_id

    @property
    def agent_id(self) -> str:
        """Agent that speaks."""
        return self.order.agent_id

    @property
    def from_number_id(self) -> str:
        """Id of the number that calls."""
        return self.order.from_number_id

    @property
    def additional_data(self) -> tuple[tuple[str, str], ...]:
        """Pairs of key and value in the order sent."""
        return self.order.additional_data

    @property
    def metadata(self) -> Mapping[str, Json]:
        """The caller's own notes."""
        return self.order.metadata

    @property
    def schedule(self) -> Schedule | None:
        """Wished moment, or None for at once."""
        return self.order.schedule


class PlacedCalls:
    """All calls placed so far; may be read from any thread while the sandbox serves."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: list[PlacedCall] = []
        self._by_id: dict[str, PlacedCall] = {}
        self._requests: Counter[str] = Counter()

    def place(self, order: CallOrder, *, call_id: str, at: datetime) -> PlacedCall:
        """Keep *order* as placed and return the call."""
        with self._lock:
            call = PlacedCall(call_id=call_id, number=len(self._calls), created_at=at, order=order)
            self._calls.append(call)
            self._by_id[call_id] = call
        return call

    def note_request(self, callee: str) -> None:
        """Count a valid request for *callee*, whatever becomes of it."""
        with self._lock:
            self._requests[callee] += 1

    @property
    def calls(self) -> tuple[PlacedCall, ...]:
        """The placed calls in the order of placing."""
        with self._lock:
            return tuple(self._calls)

    @property
    def requests(self) -> Mapping[str, int]:
        """Callee -> number of valid requests that passed key and limit, placed or not."""
        with self._lock:
            return MappingProxyType(dict(self._requests))

    def find(self, call_id: str) -> PlacedCall | None:
        """Return the call of this id, or None."""
        return self._by_id.get(call_id)

    def __len__(self) -> int:
        return len(self._calls)
