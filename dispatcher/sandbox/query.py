"""The query of a list: paging, order and filters, as strict as the bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from starlette.datastructures import QueryParams
from starlette.responses import Response

from dispatcher.sandbox.answers import json_answer
from dispatcher.sandbox.options import Generation
from dispatcher.sandbox.record import Json

_Row = TypeVar("_Row")

_LARGEST_LIMIT = 1000
_DATE_LENGTH = len("2026-06-15")
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    Which part of a list is wanted.

    Attributes:
        limit: Rows at most.
        offset: Rows to leave out before.
    """

    limit: int
    offset: int

    def of(self, rows: Sequence[_Row]) -> Sequence[_Row]:
        """Return this page of *rows*."""
        return rows[self.offset : self.offset + self.limit]


class Query:
    """The parameters of one request; whatever is wrong with them gathers in ``messages``."""

    def __init__(self, params: QueryParams, *, allowed: frozenset[str]) -> None:
        self._params = params
        self.messages = [
            f"property {name} should not exist" for name in params if name not in allowed
        ]

    def __contains__(self, name: str) -> bool:
        return name in self._params

    def text(self, name: str) -> str:
        """Return a parameter, "" where it is absent."""
        return self._params.get(name, "")

    def whole(self, name: str, *, default: int, least: int, most: int | None = None) -> int:
        """Return a whole number from *least* to *most*."""
        text = self._params.get(name, str(default))
        if not _WHOLE.fullmatch(text):
            self.messages.append(f"{name} must be an integer number")
            return default
        value = int(text)
        if value < least:
            self.messages.append(f"{name} must not be less than {least}")
        if most is not None and value > most:
            self.messages.append(f"{name} must not be greater than {most}")
        return value

    def page(self, *, default_limit: int) -> Page:
        """Return the page that ``limit`` and ``offset`` ask for."""
        limit = self.whole("limit", default=default_limit, least=1, most=_LARGEST_LIMIT)
        return Page(limit=limit, offset=self.whole("offset", default=0, least=0))

    def choice(self, name: str, *, among: tuple[str, ...], default: str) -> str:
        """Return one of *among*."""
        value = self._params.get(name, default)
        if value not in among and value != default:
            self.messages.append(f"{name} must be one of the following values: {', '.join(among)}")
        return value

    def moment(self, name: str, *, end_of_day: bool = False) -> datetime | None:
        """Return an ISO 8601 date or time, aware; a bare date is its first or last instant."""
        text = self._params.get(name)
        if text is None:
            return None
        try:
            at = datetime.fromisoformat(text)
            if end_of_day and len(text) == _DATE_LENGTH:
                at += timedelta(days=1, microseconds=-1)
        except ValueError:
            self.messages.append(f"{name} must be a valid ISO 8601 date string")
            return None
        return at if at.tzinfo else at.replace(tzinfo=UTC)


def listed(rows: list[Json], *, total: int, page: Page, generation: Generation) -> Response:
    """Return one page of *total* rows: with ``count`` in generation A, ``pagination`` in B."""
    if generation is Generation.A:
        return json_answer({"data": rows, "count": total})
    return json_answer(
        {"statusCode": 200, "data": rows, "pagination": pagination(total, page=page)}
    )


def pagination(total: int, *, page: Page) -> dict[str, Json]:
    """Return where *page* stands in *total* rows."""
    return {
        "page": page.offset // page.limit + 1,
        "total_rows": total,
        "total_pages": -(-total // page.limit),
    }
