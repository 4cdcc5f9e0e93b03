"""Looks for uncertain calls in the API's list, and settles those that are plainly there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from dispatcher.client import Client
from dispatcher.config import Settings
from dispatcher.errors import LookUpFailed, UsageProblem
from dispatcher.ledger import Ledger, TracedCall, UncertainCall
from dispatcher.ledger.lock import this_user
from dispatcher.model import Campaign, NoReply, Reply
from dispatcher.pacer import parse_rate
from dispatcher.planning import contact_hash
from dispatcher.policy import (
    ListedCall,
    Sought,
    Trace,
    TraceKind,
    TraceRules,
    days_to_look_at,
    read_calls,
    read_contact,
    trace,
)
from dispatcher.pool.looking import Looker
from dispatcher.pool.recorder import Recorder
from dispatcher.pool.settings import Clock
from dispatcher.pool.slots import LATE_SECONDS, SLOWEST_SECONDS, Slots

_PAGE = 100
_MOST_PAGES = 200
# From the mark to the start, at most: the ledger's time before and after the slot, and a little.
_ON_TOP_SECONDS = 2 * SLOWEST_SECONDS + LATE_SECONDS + 1.0
_HURRIED_SECONDS = 5.0
_KILLED = "interrupted"  # its end is when that was noticed, perhaps days later


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    What the attempt of an uncertain call asked for.

    Attributes:
        contact_id: Whom to call, "" where it is not known any more.
        agent_id: Who was to speak.
    """

    contact_id: str
    agent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    What was found of one uncertain call.

    Attributes:
        call: The call.
        asked: What it asked for.
        trace: What the list says, or None where it could not be looked for.
        why: Why it could not, or "".
    """

    call: UncertainCall
    asked: Asked
    trace: Trace | None
    why: str = ""

    @property
    def is_placed(self) -> bool:
        """It was settled."""
        return self.trace is not None and self.trace.kind is TraceKind.FOUND


def asked_for(call: UncertainCall) -> Asked:
    """Read what was asked for out of the bytes that were sent."""
    fields = json.loads(call.body) if call.body else {}
    return Asked(contact_id=fields.get("contact_id", ""), agent_id=fields.get("agent_id", ""))


def in_a_path(text: str) -> bool:
    """Whether an id can stand in an address without becoming another one."""
    return bool(text) and "/" not in text and text not in (".", "..")


def settle_traced(
    ledger: Ledger,
    campaign: Campaign,
    calls: Sequence[UncertainCall],
    *,
    settings: Settings,
    connect: Callable[[], Client],
    rules: TraceRules,
    tell: Callable[[Finding], None],
    has_time: bool = True,
) -> None:
    """
    Look for calls, and settle each that was found before looking for the next.

    Args:
        ledger: Open for writing, the campaign held.
        campaign: The campaign.
        calls: Uncertain calls of it.
        settings: Pace and time limits.
        connect: Makes one client.
        rules: Skew, margin and settling time.
        tell: Told of each call.
        has_time: Wait where the API allows no more look-ups for now, rather than give up.

    Raises:
        LookUpFailed: the API does not answer, or not as documented; what was settled stays so.
        UsageProblem: it refused the key.
    """
    asyncio.run(_settle(ledger, campaign, calls, settings, connect, rules, tell, has_time=has_time))


async def _settle(
    ledger: Ledger,
    campaign: Campaign,
    calls: Sequence[UncertainCall],
    settings: Settings,
    connect: Callable[[], Client],
    rules: TraceRules,
    tell: Callable[[Finding], None],
    *,
    has_time: bool,
) -> None:
    async with paced_looker(ledger, campaign, settings, connect, has_time=has_time) as looker:
        tracer = _Tracer(ledger, looker, settings, rules)
        for call in calls:
            tell(await tracer.find(call))


@asynccontextmanager
async def paced_looker(
    ledger: Ledger,
    campaign: Campaign,
    settings: Settings,
    connect: Callable[[], Client],
    *,
    has_time: bool = True,
) -> AsyncIterator[Looker]:
    """
    Read from the API at the pace that all who use the ledger share.

    Without *has_time* nothing is waited for but for a few seconds.
    """
    clock = Clock()
    with Recorder(ledger, repeat_after_hours=settings.repeat_after_hours) as recorder:
        slots = Slots(
            recorder,
            rate=parse_rate(settings.pace.rate),
            base_url=campaign.base_url,
            workers=1,
            clock=clock,
        )
        async with connect() as client:
            wait = settings.retry.max_wait_seconds
            yield Looker(
                client,
                slots,
                max_wait_seconds=wait if has_time else min(wait, _HURRIED_SECONDS),
                has_time=has_time,
                clock=clock,
            )


class _Tracer:
    """Finds one call after another."""

    def __init__(
        self, ledger: Ledger, looker: Looker, settings: Settings, rules: TraceRules
    ) -> None:
        self._ledger = ledger
        self._looker = looker
        self._rules = rules
        api = settings.api
        self._longest = timedelta(
            seconds=api.connect_timeout_seconds + api.answer_timeout_seconds + _ON_TOP_SECONDS
        )

    async def find(self, call: UncertainCall) -> Finding:
        asked = asked_for(call)
        if not in_a_path(asked.contact_id):
            return Finding(call=call, asked=asked, trace=None, why="its contact id is not known")
        phone, why = await self._phone(asked)
        if why:
            return Finding(call=call, asked=asked, trace=None, why=why)
        sought = self._sought(call, phone)
        listed = await self._listed(sought)
        doubts = self._ledger.doubts
        found = trace(
            sought,
            listed,
            taken=doubts.taken_ids(call, {one.call_id for one in listed}),
            rivals=[self._sought(rival, phone) for rival in doubts.rivals(call)],
            contact_hash_of=contact_hash,
            rules=self._rules,
            now=datetime.now(tz=UTC),
        )
        if found.kind is TraceKind.FOUND and not self._settled(call, found.calls[0]):
            why = "another call has the id that was found for it"
            return Finding(call=call, asked=asked, trace=None, why=why)
        return Finding(call=call, asked=asked, trace=found)

    async def _phone(self, asked: Asked) -> tuple[str, str]:
        """Return the contact's number, or why there is none."""
        answer = await self._looker.look(f"/v1/contacts/{asked.contact_id}")
        if isinstance(answer, Reply) and answer.status == HTTPStatus.NOT_FOUND:
            return "", "ContactShip does not know its contact"
        contact = read_contact(body_of_answer(answer))
        if contact is None:
            raise LookUpFailed("the API answered the look-up of a contact without one")
        contact_id, phone = contact
        if contact_id and contact_hash(contact_id) != contact_hash(asked.contact_id):
            return "", "ContactShip has another contact under its id"
        return phone, "" if phone else "its contact has no phone number in ContactShip"

    async def _listed(self, sought: Sought) -> list[ListedCall]:
        first, last = days_to_look_at(sought, self._rules)
        query = {
            "phoneNumber": sought.phone,
            "agent_id": sought.agent_id,
            "date_from": first.isoformat(),
            "date_to": last.isoformat(),
            "order": "asc",
            "limit": str(_PAGE),
        }
        listed: list[ListedCall] = []
        for _ in range(_MOST_PAGES):
            offset = len(listed)
            page = read_calls(
                body_of_answer(
                    await self._looker.look_at_list("/v1/calls", query | {"offset": str(offset)})
                )
            )
            if page is None:
                raise LookUpFailed("the API's list of calls cannot be read: nothing was changed")
            listed += page.calls
            if page.is_last(offset=offset, limit=_PAGE):
                return listed
        raise LookUpFailed("the API's list of calls has no end: nothing was changed")

    def _sought(self, call: UncertainCall, phone: str) -> Sought:
        at_the_latest = call.started_at + self._longest
        ended = call.ended_at or at_the_latest
        return Sought(
            contact=call.contact,
            phone=phone,
            agent_id=asked_for(call).agent_id,
            started_at=call.started_at,
            ended_at=min(ended, at_the_latest) if call.code == _KILLED else ended,
            due_at=call.due_at,
        )

    def _settled(self, call: UncertainCall, found: ListedCall) -> bool:
        return self._ledger.doubts.reconcile(
            TracedCall(
                key=call.key,
                call_id=found.call_id,
                created_at=found.created_text,
                user=this_user(),
                at=datetime.now(tz=UTC),
            )
        )


_HINTS: Mapping[int, str] = {
    HTTPStatus.NOT_FOUND: "this API has no such look-up; settle calls with 'dispatcher resolve'",
    HTTPStatus.TOO_MANY_REQUESTS: "its limit is used up; try again later",
}


def body_of_answer(answer: Reply | NoReply) -> bytes:
    """
    Return the body of a whole answer that is a success.

    Raises:
        LookUpFailed: it is none.
        UsageProblem: the API refused the key.
    """
    if isinstance(answer, NoReply):
        raise LookUpFailed(answer.message, hint="check the network and api.base_url")
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise UsageProblem(
            f"the API refused the key ({answer.status})", hint="check CONTACTSHIP_API_KEY"
        )
    if answer.status != HTTPStatus.OK or not answer.complete:
        hint = _HINTS.get(answer.status, "try again later")
        raise LookUpFailed(f"the API answered a look-up with {answer.status}", hint=hint)
    return answer.body
