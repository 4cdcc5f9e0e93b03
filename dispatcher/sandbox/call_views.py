"""How a placed call looks in the answers."""

from __future__ import annotations

from datetime import datetime

from dispatcher.sandbox.answers import instant_text
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.life import Life, LifeStatus, life_of
from dispatcher.sandbox.people import Contact, contact_of, digits_of_number
from dispatcher.sandbox.record import Json, PlacedCall


def life_at_desk(desk: Desk, call: PlacedCall, *, at: datetime) -> Life:
    """Return where *call* is *at* this moment, aware UTC."""
    options = desk.options
    return life_of(call, seed=options.seed, generation=options.generation, at=at)


def callee_of(call: PlacedCall) -> Contact:
    """Return who is called: the invented contact, or the bare number with the name it came with."""
    if call.contact_id:
        return contact_of(call.contact_id)
    order = call.order
    return Contact(
        id="", full_name=order.full_name, phone_number=order.to_number, email="", country=""
    )


def call_view(desk: Desk, call: PlacedCall, *, at: datetime) -> dict[str, Json]:
    """Return the call as the list and the detail show it; what is not known yet is left out."""
    life = life_at_desk(desk, call, at=at)
    view: dict[str, Json] = {
        "id": call.call_id,
        "direction": "outbound",
        "from": digits_of_number(call.from_number_id),
        "call_status": life.status.value,
        "disconnection_reason": None,
        "created_at": instant_text(call.created_at),
        "agent_id": call.agent_id,
        "contact": contact_view(callee_of(call)),
    }
    if life.started_at:
        view["start_at"] = instant_text(life.started_at)
    if life.started_at and life.finished_at and life.ending:
        view["finished_at"] = instant_text(life.finished_at)
        view["duration"] = (life.finished_at - life.started_at).total_seconds()
        view["call_result"] = life.ending.result
        view["disconnection_reason"] = life.ending.reason
        view["call_record"] = f"https://recordings.example.com/{call.call_id}.wav"
        view["call_analysis"] = {
            "summary": life.ending.summary,
            "sentiment": life.ending.sentiment,
        }
    return view


def status_view(desk: Desk, call: PlacedCall, *, at: datetime) -> dict[str, Json]:
    """Return the light read; its words have underscores, as those of the API do here."""
    life = life_at_desk(desk, call, at=at)
    return {
        "call_id": call.call_id,
        "agent_id": call.agent_id,
        "call_status": life.status.value.replace("-", "_"),
        "finished": life.status is LifeStatus.ENDED,
        "disconnection_reason": life.ending.reason if life.ending else None,
        "started_at": instant_text(life.started_at) if life.started_at else None,
        "ended_at": instant_text(life.finished_at) if life.finished_at else None,
    }


def contact_view(contact: Contact) -> dict[str, Json]:
    """Return the part of a contact that calls carry."""
    return {
        "id": contact.id or None,
        "full_name": contact.full_name,
        "phone_number": contact.phone_number,
        "email": contact.email,
        "country": contact.country,
    }


def record_view(call: PlacedCall) -> dict[str, Json]:
    """Return the call as the sandbox's own record has it."""
    order, schedule = call.order, call.schedule
    return {
        "call_id": call.call_id,
        "contact_id": call.contact_id or None,
        "agent_id": call.agent_id,
        "from_number_id": call.from_number_id,
        "to_number": order.to_number or None,
        "full_name": order.full_name or None,
        "additional_data": [{"key": key, "value": value} for key, value in call.additional_data],
        "metadata": dict(call.metadata),
        "delay": order.delay_minutes,
        "schedule": None
        if schedule is None
        else {"scheduled_call_time": schedule.local, "timezone": schedule.timezone},
        "created_at": call.created_at.isoformat(),
    }
