"""The routes that read contacts, agents, numbers and credits."""

from __future__ import annotations

import http

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.sandbox.answers import error_answer, json_answer, wrapped
from dispatcher.sandbox.call_views import contact_view
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.options import Generation
from dispatcher.sandbox.people import (
    AGENTS,
    NUMBERS,
    ORGANIZATION_ID,
    SINCE,
    Contact,
    Number,
    contact_of,
)
from dispatcher.sandbox.query import Query, listed, pagination
from dispatcher.sandbox.record import Json

_CREDITS = 50_000
_CONTACT_FILTERS = frozenset({"full_name", "email", "phone_number", "limit", "offset"})
_NUMBER_FILTERS = frozenset({"limit", "offset", "order", "type"})
_IDENTIFIER = frozenset({"identifierType"})
_MOST_CONTACTS = 1000


async def list_contacts(desk: Desk, request: Request) -> Response:
    """Show the contacts known so far; filters match parts of the value."""
    query = Query(request.query_params, allowed=_CONTACT_FILTERS)
    page = query.page(default_limit=_MOST_CONTACTS)
    if ("limit" in query) != ("offset" in query):
        query.messages.append("limit and offset must be sent together")
    if query.messages:
        return error_answer(http.HTTPStatus.BAD_REQUEST, query.messages)
    found = [contact for contact in _known_contacts(desk) if _matches(contact, query)]
    rows: list[Json] = [_full_view(contact) for contact in page.of(found)]
    if desk.options.generation is Generation.A:
        return json_answer(rows)
    totals = pagination(len(found), page=page)
    return json_answer({"statusCode": 200, "data": rows, "pagination": totals})


async def show_contact(desk: Desk, request: Request) -> Response:
    """Show one contact by its exact id, number or email."""
    query = Query(request.query_params, allowed=_IDENTIFIER)
    kinds = ("id", "phone_number", "email")
    kind = query.choice("identifierType", among=kinds, default="id")
    if query.messages:
        return error_answer(http.HTTPStatus.BAD_REQUEST, query.messages)
    contact = _find_contact(desk, request.path_params["identifier"], kind=kind)
    if contact is None:
        return error_answer(http.HTTPStatus.NOT_FOUND, "Contact not found")
    view: Json = _full_view(contact)
    if desk.options.generation is Generation.B:
        view = {"contact": view}
    return wrapped(view, generation=desk.options.generation)


async def list_agents(_desk: Desk, _request: Request) -> Response:
    """Show the agents, confidential prompt included, as the API does."""
    rows: list[Json] = [
        {
            "id": agent.id,
            "name": agent.name,
            "person_name": agent.person_name,
            "language": agent.language,
            "prompt": agent.prompt,
        }
        for agent in AGENTS
    ]
    return json_answer({"statusCode": 200, "data": rows})


async def list_numbers(desk: Desk, request: Request) -> Response:
    """Show the organization's numbers, five unless asked for more."""
    query = Query(request.query_params, allowed=_NUMBER_FILTERS)
    page = query.page(default_limit=5)
    order = query.choice("order", among=("asc", "desc"), default="desc")
    kind = query.choice("type", among=("inbound", "outbound"), default="")
    if query.messages:
        return error_answer(http.HTTPStatus.BAD_REQUEST, query.messages)
    unknown = desk.options.faults.unknown_numbers
    found = [n for n in NUMBERS if n.id not in unknown and kind in ("", n.type)]
    if order == "desc":
        found.reverse()
    rows: list[Json] = [_number_view(number) for number in page.of(found)]
    return listed(rows, total=len(found), page=page, generation=desk.options.generation)


async def show_credits(desk: Desk, _request: Request) -> Response:
    """Show a balance that every placed call lowers by one."""
    balance = max(_CREDITS - len(desk.calls), 0)
    return wrapped({"credits": balance}, generation=desk.options.generation)


def _known_contacts(desk: Desk) -> list[Contact]:
    ids = dict.fromkeys(desk.options.contacts)
    ids.update(dict.fromkeys(call.contact_id for call in desk.calls.calls if call.contact_id))
    unknown = desk.options.faults.unknown_contacts
    return [contact_of(contact_id) for contact_id in ids if contact_id not in unknown]


def _matches(contact: Contact, query: Query) -> bool:
    values = {
        "full_name": contact.full_name,
        "email": contact.email,
        "phone_number": contact.phone_number,
    }
    return all(query.text(name).lower() in value.lower() for name, value in values.items())


def _find_contact(desk: Desk, identifier: str, *, kind: str) -> Contact | None:
    if kind == "id":
        known = identifier not in desk.options.faults.unknown_contacts
        return contact_of(identifier) if known else None
    for contact in _known_contacts(desk):
        if identifier == (contact.email if kind == "email" else contact.phone_number):
            return contact
    return None


def _full_view(contact: Contact) -> dict[str, Json]:
    return contact_view(contact) | {
        "created_at": SINCE,
        "additional_data": [{"type": "text", "field": "origen", "value": "sandbox"}],
        "organization_id": ORGANIZATION_ID,
    }


def _number_view(number: Number) -> dict[str, Json]:
    return {
        "id": number.id,
        "phone_number": number.phone_number,
        "type": number.type,
        "organization_id": ORGANIZATION_ID,
        "created_at": SINCE,
    }
