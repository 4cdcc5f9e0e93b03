"""One sheet row becomes a call request, or the problem that stands in its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import compress
from operator import itemgetter

from dispatcher.model import CallRequest, RowProblem, Schedule, SheetRow
from dispatcher.planning.body import body_of
from dispatcher.planning.checks import RowChecks
from dispatcher.planning.headers import Field
from dispatcher.planning.headings import shown
from dispatcher.planning.identity import (
    call_key_of_canonical,
    canonical_contact,
    contact_hash_of_canonical,
)
from dispatcher.planning.layout import Layout
from dispatcher.planning.number_format import WIDEST
from dispatcher.planning.schedule import read_delay, read_schedule
from dispatcher.planning.settings import EmptyCells, PlanSettings

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # every schedule takes the same bytes
_WIDEST_CHARACTER = 4  # bytes in UTF-8; an escaped one takes two


class RequestMaker:
    """Makes call requests from the rows of one sheet; holds what is the same for all of them."""

    def __init__(self, layout: Layout, settings: PlanSettings) -> None:
        self._settings = settings
        self._checks = RowChecks(layout, settings.value_limit)
        self._headers = layout.headers
        self._formats = layout.formats
        self._fields = fields = dict(layout.fields)
        self.contact_column = self._contact = fields[Field.CONTACT_ID]
        self._agent_default = settings.agent_id.strip()
        self._number_default = settings.from_number_id.strip()
        self._has_ids = not fields.keys().isdisjoint({Field.AGENT_ID, Field.FROM_NUMBER_ID})
        self._has_timing = not fields.keys().isdisjoint({Field.DELAY, Field.SCHEDULE})
        self._additional_names = tuple(header for _, header in layout.additional)
        self._additional = _picker(column for column, _ in layout.additional)
        self._metadata_names = tuple(name for _, name in layout.metadata)
        self._metadata = _picker(column for column, _ in layout.metadata)
        self._key_values = _picker(layout.key_columns)
        self._has_key_values = bool(layout.key_columns)
        self._omits_empty = settings.empty is EmptyCells.OMIT
        uses = Counter((*fields.values(), *(column for column, _ in layout.additional)))
        self._bytes_per_character = _WIDEST_CHARACTER * max(uses.values())
        fixed_bytes = self._size(self._widest_empty()) + WIDEST * len(layout.formats)
        self._room = settings.request_limit - fixed_bytes

    def identity(self, cells: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Contact id and key values of a row, whatever else is wrong with it."""
        return cells[self._contact].strip(), self._key_values(cells)

    def request(self, row: SheetRow) -> CallRequest | RowProblem:
        """The call that *row* asks for, or its first problem."""
        cells = row.cells
        joined = "".join(cells)
        problem = self._checks.problem(row, joined)
        if problem:
            return problem
        ids = self._ids(cells)
        if isinstance(ids, RowProblem):
            return ids
        timing = self._timing(cells) if self._has_timing else (0.0, None)
        if isinstance(timing, RowProblem):
            return timing
        spoken = self._formatted(cells) if self._formats else cells
        if isinstance(spoken, RowProblem):
            return spoken
        canonical = canonical_contact(ids[0])
        key_values = self._key_values(cells) if self._has_key_values else ()
        request = CallRequest(
            key=call_key_of_canonical(self._settings.campaign, canonical, key_values),
            contact=contact_hash_of_canonical(canonical),
            row=row.number,
            contact_id=ids[0],
            agent_id=ids[1],
            from_number_id=ids[2],
            additional_data=self._additional_data(spoken),
            metadata=self._metadata_of(cells) if self._metadata_names else (),
            delay_minutes=timing[0],
            schedule=timing[1],
        )
        if len(joined) * self._bytes_per_character <= self._room:
            return request
        return self._too_large(request) or request

    def _ids(self, cells: Sequence[str]) -> tuple[str, str, str] | RowProblem:
        """Contact, agent and number of a row."""
        contact_id = cells[self._contact].strip()
        if not contact_id:
            rest = "is empty; fill in the contact id, or delete the row"
            return self._checks.about(self._contact, "contact_id_missing", rest)
        problem = self._checks.damaged_id(contact_id, self._contact)
        if problem:
            return problem
        if not self._has_ids:
            return contact_id, self._agent_default, self._number_default
        agent_id = self._id_of(cells, Field.AGENT_ID, self._agent_default)
        if isinstance(agent_id, RowProblem):
            return agent_id
        from_number_id = self._id_of(cells, Field.FROM_NUMBER_ID, self._number_default)
        if isinstance(from_number_id, RowProblem):
            return from_number_id
        return contact_id, agent_id, from_number_id

    def _id_of(self, cells: Sequence[str], field: Field, default: str) -> str | RowProblem:
        """The id in the row's cell, else the default."""
        column = self._fields.get(field)
        if column is None:
            return default
        identifier = cells[column].strip()
        if identifier:
            return self._checks.damaged_id(identifier, column) or identifier
        if default:
            return default
        rest = f"is empty; fill it in, or set defaults.{field}"
        return self._checks.about(column, f"{field}_missing", rest)

    def _timing(self, cells: Sequence[str]) -> tuple[float, Schedule | None] | RowProblem:
        """Delay in minutes and wished moment, at most one of them."""
        delay = read_delay(self._text(cells, Field.DELAY), self._header(Field.DELAY))
        if isinstance(delay, RowProblem):
            return delay
        zone = self._text(cells, Field.TIMEZONE).strip() or self._settings.timezone
        column = self._header(Field.SCHEDULE)
        schedule = read_schedule(self._text(cells, Field.SCHEDULE), zone, column)
        if isinstance(schedule, RowProblem):
            # A default zone is sound, so a bad one stands in the row.
            return self._bad_zone(zone) if schedule.code == "bad_timezone" else schedule
        if delay and schedule:
            message = "The row has a delay and a schedule; empty one of the two cells"
            return RowProblem(code="delay_and_schedule", column=column, message=message)
        return delay, schedule

    def _bad_zone(self, name: str) -> RowProblem:
        column = self._header(Field.TIMEZONE)
        return RowProblem(
            code="bad_timezone",
            column=column,
            message=f'The time zone "{shown(name)}" in column "{shown(column)}" does not exist; '
            "use an IANA name like America/Bogota",
        )

    def _text(self, cells: Sequence[str], field: Field) -> str:
        column = self._fields.get(field)
        return "" if column is None else cells[column]

    def _header(self, field: Field) -> str:
        column = self._fields.get(field)
        return "" if column is None else self._headers[column]

    def _formatted(self, cells: Sequence[str]) -> Sequence[str] | RowProblem:
        """The cells with their numbers as they are to be spoken."""
        spoken = list(cells)
        for column, form in self._formats:
            if not cells[column].strip():
                continue
            text = form.apply(cells[column])
            if text is None:
                rest = "is not plainly a number, which its format needs; write it like 14058.1"
                return self._checks.about(column, "bad_format_value", rest)
            spoken[column] = text
        return spoken

    def _additional_data(self, cells: Sequence[str]) -> tuple[tuple[str, str], ...]:
        values = self._additional(cells)
        if self._omits_empty:
            return _filled(self._additional_names, values)
        return tuple(zip(self._additional_names, values, strict=True))

    def _metadata_of(self, cells: Sequence[str]) -> tuple[tuple[str, str], ...]:
        return _filled(self._metadata_names, self._metadata(cells))

    def _too_large(self, request: CallRequest) -> RowProblem | None:
        """The problem of a request whose body is over the limit."""
        size, limit = self._size(request), self._settings.request_limit
        if size <= limit:
            return None
        message = f"The request has {size} bytes, more than {limit}; send fewer or shorter values"
        return RowProblem(code="request_too_large", column="", message=message)

    def _size(self, request: CallRequest) -> int:
        settings = self._settings
        return len(
            body_of(request, campaign=settings.campaign, now=_ANY_TIME, delay=settings.delay)
        )

    def _widest_empty(self) -> CallRequest:
        """A request with every name that a row of this sheet can send, and no value."""
        zone = self._settings.timezone
        return CallRequest(
            key="0" * 32,
            contact="",
            row=10**9,
            contact_id="",
            agent_id=self._settings.agent_id,
            from_number_id=self._settings.from_number_id,
            additional_data=tuple((name, "") for name in self._additional_names),
            metadata=tuple((name, "") for name in self._metadata_names),
            schedule=Schedule(local="2000-01-01 00:00:00", timezone=zone, at=_ANY_TIME),
        )


def _filled(names: Sequence[str], values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The pairs whose value is not blank."""
    return tuple(compress(zip(names, values, strict=True), map(str.strip, values)))


def _picker(columns: Iterable[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """A function that picks the cells of *columns*, in order."""
    indices = tuple(columns)
    if len(indices) > 1:
        return itemgetter(*indices)
    return lambda cells: tuple([cells[index] for index in indices])
