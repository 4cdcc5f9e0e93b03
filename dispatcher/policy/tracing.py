"""Which call of the API's list is the one that a lost answer belonged to: pure matching."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum

from dispatcher.policy.listing import ListedCall

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRules:
    """
    How far apart two clocks may be, and how late a call may show.

    Attributes:
        skew_seconds: How far the API's clock may be behind ours.
        margin_seconds: How long after the attempt's end its call may still be created.
        settle_seconds: How long a call may take to appear in the list; no trace before is none.
    """

    skew_seconds: float = 300
    margin_seconds: float = 600
    settle_seconds: float = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """
    An attempt whose answer nobody saw.

    Attributes:
        contact: Hash of the contact.
        phone: The contact's number, or "".
        agent_id: Who was to speak.
        started_at: When the attempt began, aware.
        ended_at: When it ended at the latest, aware.
        due_at: When the phone was to ring, aware; *started_at* for at once.
    """

    contact: str
    phone: str
    agent_id: str
    started_at: datetime
    ended_at: datetime
    due_at: datetime


class TraceKind(StrEnum):
    """What the list says of an attempt."""

    FOUND = "found"  # exactly one call can be its
    SEVERAL = "several"  # more than one can, or one that may be another's
    NO_TRACE = "no_trace"  # none can
    TOO_EARLY = "too_early"  # none can yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """
    What was found of one attempt.

    Attributes:
        kind: What the list says.
        calls: The call found; the candidates of several; else other calls of those days to the
            contact by the agent that are nobody's: perhaps its, if a clock was wrong.
        until: When it can be called traceless, of a trace that is too early.
    """

    kind: TraceKind
    calls: tuple[ListedCall, ...] = ()
    until: datetime | None = None


class _Fit(IntEnum):
    NO = 0
    ELSEWHEN = 1  # this contact, this agent, another time
    MAYBE = 2
    YES = 3


def days_to_look_at(sought: Sought, rules: TraceRules) -> tuple[date, date]:
    """Return the first and last day of creation: those of the attempt and the one around them."""
    first, last = _windows(sought, rules)[0][0], max(end for _, end in _windows(sought, rules))
    return (first - _DAY).date(), (last + _DAY).date()


def trace(
    sought: Sought,
    listed: Iterable[ListedCall],
    *,
    taken: Collection[str],
    rivals: Iterable[Sought],
    contact_hash_of: Callable[[str], str],
    rules: TraceRules,
    now: datetime,
) -> Trace:
    """
    Say which of the listed calls is the attempt's.

    What the API leaves unsaid makes a call a candidate but never the one.

    Args:
        sought: The attempt.
        listed: Calls of the contact's number in ``days_to_look_at``.
        taken: Ids that other calls have.
        rivals: Other attempts to the contact without an answer; what may be theirs is listed.
        contact_hash_of: Gives the identity of a contact id.
        rules: Skew, margin and settling time.
        now: Aware.
    """
    free = {call.call_id: call for call in listed if call.call_id not in taken}
    fits = {i: _fit(sought, call, contact_hash_of, rules) for i, call in free.items()}
    candidates = tuple(free[i] for i, fit in fits.items() if fit >= _Fit.MAYBE)
    others = [
        rival
        for rival in rivals
        if any(_fit(rival, c, contact_hash_of, rules) >= _Fit.MAYBE for c in candidates)
    ]
    if candidates:
        is_clear = len(candidates) == 1 and not others
        is_clear = is_clear and fits[candidates[0].call_id] is _Fit.YES
        return Trace(kind=TraceKind.FOUND if is_clear else TraceKind.SEVERAL, calls=candidates)
    near = tuple(free[i] for i, fit in fits.items() if fit is _Fit.ELSEWHEN)
    settled = max(sought.ended_at, sought.due_at) + timedelta(seconds=rules.settle_seconds)
    if now < settled:
        return Trace(kind=TraceKind.TOO_EARLY, calls=near, until=settled)
    return Trace(kind=TraceKind.NO_TRACE, calls=near)


def _fit(
    sought: Sought,
    call: ListedCall,
    contact_hash_of: Callable[[str], str],
    rules: TraceRules,
) -> _Fit:
    parts = (_fits_contact(sought, call, contact_hash_of), _fits_agent(sought, call))
    if call.is_inbound or _Fit.NO in parts:
        return _Fit.NO
    return min(*parts, _fits_time(sought, call, rules))


def _fits_contact(sought: Sought, call: ListedCall, contact_hash_of: Callable[[str], str]) -> _Fit:
    if call.contact_id:
        return _Fit.YES if contact_hash_of(call.contact_id) == sought.contact else _Fit.NO
    if call.phone and sought.phone:
        return _Fit.YES if call.phone == sought.phone else _Fit.NO
    return _Fit.MAYBE


def _fits_agent(sought: Sought, call: ListedCall) -> _Fit:
    if not call.agent_id:
        return _Fit.MAYBE
    same = call.agent_id.strip().casefold() == sought.agent_id.strip().casefold()
    return _Fit.YES if same else _Fit.NO


def _fits_time(sought: Sought, call: ListedCall, rules: TraceRules) -> _Fit:
    if call.created_at is None:
        return _Fit.MAYBE
    attempt, *ringing = (
        first <= call.created_at <= last for first, last in _windows(sought, rules)
    )
    if attempt:
        return _Fit.YES
    # Whether the API creates a scheduled call when it takes the request or when it rings is not
    # documented, so one created then is shown to a person.
    return _Fit.MAYBE if any(ringing) else _Fit.ELSEWHEN


def _windows(sought: Sought, rules: TraceRules) -> list[tuple[datetime, datetime]]:
    skew, margin = timedelta(seconds=rules.skew_seconds), timedelta(seconds=rules.margin_seconds)
    windows = [(sought.started_at - skew, sought.ended_at + margin)]
    if sought.due_at > sought.ended_at:
        windows.append((sought.due_at - skew, sought.due_at + margin))
    return windows
