"""
``agents``, ``numbers``, ``credits``: what the API has, and whether the key is right.

They open no ledger, so they cannot share the pace of a live run: each is a request or two by hand,
for which the default rate leaves room below the API's limit. Pages follow one another at the rate.
"""

from __future__ import annotations

import asyncio
import json as json_text
import os
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from dispatcher.cli.reading import find_settings
from dispatcher.cli.terminal import one_line, put, put_json
from dispatcher.client import Client
from dispatcher.config import read_api_key
from dispatcher.errors import LookUpFailed, UsageProblem
from dispatcher.model import NoReply, Reply
from dispatcher.pacer import parse_rate

_PAGE = 100
_MOST_PAGES = 1_000
_Listed = Mapping[str, object]


def show_agents(*, config: Path | None, json: bool) -> int:
    """List id, name and language of the agents; never their prompts."""
    agents = asyncio.run(_ask(config, "/v1/agents"))
    _show(_items(agents), ("id", "name", "person_name", "language"), json=json)
    return 0


def show_numbers(*, config: Path | None, json: bool) -> int:
    """List id, number and type of the numbers, all pages."""
    numbers = asyncio.run(_ask_pages(config, "/v1/phone-numbers"))
    _show(numbers, ("id", "phone_number", "type"), json=json)
    return 0


def show_credits(*, config: Path | None, json: bool) -> int:
    """Show the balance."""
    answer = asyncio.run(_ask(config, "/v1/credits"))
    inner = answer.get("data", answer) if isinstance(answer, dict) else answer
    balance = inner.get("credits") if isinstance(inner, dict) else None
    if balance is None:
        raise LookUpFailed("the API answered without a balance")
    if json:
        put_json(json_text.dumps({"credits": balance}))
    else:
        put(f"Credits: {balance}")
    return 0


async def _ask_pages(config: Path | None, path: str) -> list[_Listed]:
    found: list[_Listed] = []
    rate = parse_rate(find_settings(config).settings.pace.rate)
    for page in range(_MOST_PAGES):
        if page and rate:
            await asyncio.sleep(rate.spacing_seconds)
        query = {"limit": str(_PAGE), "offset": str(page * _PAGE)}
        items = _items(await _ask(config, path, query))
        known = {item.get("id") for item in found}
        found += [item for item in items if item.get("id") not in known]
        if len(items) < _PAGE:
            break
    return found


async def _ask(config: Path | None, path: str, query: Mapping[str, str] | None = None) -> object:
    settings = find_settings(config).settings
    client = Client(
        base_url=settings.api.base_url,
        api_key=read_api_key(os.environ).reveal(),
        connect_timeout_seconds=settings.api.connect_timeout_seconds,
        answer_timeout_seconds=settings.api.answer_timeout_seconds,
    )
    async with client:
        return _read(await client.look(path, query or {}))


def _read(answer: Reply | NoReply) -> object:
    if isinstance(answer, NoReply):
        raise LookUpFailed(one_line(answer.message), hint="check the network and api.base_url")
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise UsageProblem(
            f"the API refused the key ({answer.status})", hint="check CONTACTSHIP_API_KEY"
        )
    if answer.status != HTTPStatus.OK:
        raise LookUpFailed(f"the API answered {answer.status}", hint="try again later")
    try:
        return json_text.loads(answer.body)
    except ValueError as error:
        raise LookUpFailed(
            "the API answered something else than JSON", hint="check api.base_url"
        ) from error


def _items(answer: object) -> list[_Listed]:
    """A bare list, or one under ``data``, as the two generations have it."""
    inner = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(inner, list):
        raise LookUpFailed("the API answered without a list")
    return [item for item in inner if isinstance(item, dict)]


def _show(items: list[_Listed], names: tuple[str, ...], *, json: bool) -> None:
    kept = [{name: item[name] for name in names if name in item} for item in items]
    if json:
        put_json(json_text.dumps(kept, ensure_ascii=False))
        return
    for item in kept:
        put(one_line("  ".join(str(item[name]) for name in names if item.get(name))))
    if not kept:
        put("none")
