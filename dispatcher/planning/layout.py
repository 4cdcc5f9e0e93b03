"""Which column of a sheet feeds what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.model import OUR_METADATA, Remark, SheetHead, SheetRow
from dispatcher.planning.cell_text import has_control, is_error
from dispatcher.planning.headers import (
    DOUBTFUL_DELAYS,
    METADATA_PREFIX,
    RESULT_NAMES,
    Field,
    checked_columns,
    field_of,
    fold,
    fold_name,
    key_columns,
)
from dispatcher.planning.headings import Headings
from dispatcher.planning.number_format import NumberFormat, parse_format
from dispatcher.planning.schedule import zone_named
from dispatcher.planning.settings import PlanSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """
    What each column of a sheet is for. Columns are indices from 0.

    Attributes:
        headers: Header texts as they stand.
        fields: (field, column), ``metadata.NAME`` included.
        additional: (column, header text) of the additional data, in sheet order.
        key_columns: Columns whose values belong to the key, whatever their order in the sheet.
        required: Columns that must be filled.
        formats: (column, format) for numbers.
        left_out: (column, reason as half a sentence) of all that feed nothing.
        result_columns: Columns that bear the name of a column of the results.
        is_results_sheet: The sheet is one that the dispatcher wrote.
        unnamed: Columns with an empty header.
        remarks: What was doubtful.
    """

    headers: tuple[str, ...]
    fields: tuple[tuple[str, int], ...]
    additional: tuple[tuple[int, str], ...] = ()
    key_columns: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    formats: tuple[tuple[int, NumberFormat], ...] = ()
    left_out: tuple[tuple[int, str], ...] = ()
    result_columns: tuple[int, ...] = ()
    is_results_sheet: bool = False
    unnamed: tuple[int, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def column_of(self, field: str) -> int | None:
        """The column that feeds *field*, or None."""
        return dict(self.fields).get(field)

    def result_column(self, name: str) -> int | None:
        """The column with the result column's *name*, or None."""
        return next((i for i in self.result_columns if fold(self.headers[i]) == name), None)

    @property
    def metadata(self) -> tuple[tuple[int, str], ...]:
        """(column, NAME) of the ``metadata.NAME`` columns, in sheet order."""
        return tuple(
            (column, field.removeprefix(METADATA_PREFIX))
            for field, column in sorted(self.fields, key=lambda pair: pair[1])
            if field.startswith(METADATA_PREFIX)
        )


def lay_out(head: SheetHead, settings: PlanSettings) -> Layout:
    """
    Decide what each column is for.

    Raises SheetRefused where no column, or more than one, could feed a field or the additional
    data; UsageProblem where the settings name a field, header, zone or format that does not exist.
    """
    if settings.timezone and zone_named(settings.timezone) is None:
        raise UsageProblem(
            f"The time zone {settings.timezone!r} does not exist",
            hint="use an IANA name like America/Bogota",
        )
    headings = Headings(head.headers)
    results = tuple(i for i, text in enumerate(headings.folded) if text in RESULT_NAMES)
    is_results_sheet = {"call_status", "call_id"} <= set(headings.folded)
    fields = _fields(headings, settings, frozenset(results))
    left_out = _left_out(head, headings, settings, frozenset(fields.values()))
    additional = tuple(i for i in range(len(head.headers)) if i not in left_out)
    _refuse_doubtful(headings, {*fields.values(), *additional}, results if is_results_sheet else ())
    formats = [(headings.column(h, "additional_data.format"), h, t) for h, t in settings.formats]
    is_typed = head.format == "csv"
    return Layout(
        headers=head.headers,
        fields=tuple(fields.items()),
        additional=tuple((i, head.headers[i]) for i in additional),
        key_columns=tuple(headings.column(h, "key") for h in key_columns(settings.key)),
        required=tuple(headings.column(h, "additional_data.required") for h in settings.required),
        formats=tuple((i, parse_format(h, t, is_typed=is_typed)) for i, h, t in formats),
        left_out=tuple((i, reason) for i, reason in left_out.items() if reason),
        result_columns=results,
        is_results_sheet=is_results_sheet,
        unnamed=tuple(i for i, text in enumerate(headings.folded) if not text),
        remarks=_remarks(headings, fields, additional, () if is_results_sheet else results),
    )


def layout_needs(layout: Layout, settings: PlanSettings) -> tuple[str, ...]:
    """The fields without which no call can be placed, and that no column and no default feeds."""
    defaults = {
        Field.AGENT_ID: settings.agent_id.strip(),
        Field.FROM_NUMBER_ID: settings.from_number_id.strip(),
    }
    fed = dict(layout.fields)
    return tuple(
        field.value for field, default in defaults.items() if not default and field not in fed
    )


def carried_campaigns(rows: Iterable[SheetRow], layout: Layout) -> frozenset[str]:
    """The values of ``call_campaign`` in a results sheet; none in any other sheet."""
    column = layout.result_column("call_campaign")
    if column is None or not layout.is_results_sheet:
        return frozenset()
    return frozenset(row.cells[column].strip() for row in rows) - {""}


def _fields(headings: Headings, settings: PlanSettings, results: frozenset[int]) -> dict[str, int]:
    """Field -> column: what the person said first, then the usual names of what is left."""
    chosen = checked_columns(settings.columns)
    fields = {
        field: headings.column(header, f"--map or columns: for {field}")
        for field, header in chosen.items()
        if header
    }
    taken = results | frozenset(fields.values())
    candidates: dict[str, list[int]] = defaultdict(list)
    for index, header in enumerate(headings.texts):
        field = "" if index in taken else field_of(header)
        if field and field not in chosen:
            candidates[field].append(index)
    for field, indices in candidates.items():
        fields[field] = _only(headings, field, indices)
    _check_fields(headings, fields)
    return fields


def _only(headings: Headings, field: str, indices: list[int]) -> int:
    if len(indices) > 1:
        raise SheetRefused(
            f"More than one column could be {field}: {headings.names(indices)}",
            hint=f"say which with --map {field}=HEADER, or rename one where both are called alike",
        )
    return indices[0]


def _check_fields(headings: Headings, fields: dict[str, int]) -> None:
    if Field.CONTACT_ID not in fields:
        raise SheetRefused(
            "No column with the contact ids was recognised; name it with --map contact_id=HEADER",
            hint=headings.found(),
        )
    for name in OUR_METADATA:
        if f"{METADATA_PREFIX}{name}" in fields:
            raise UsageProblem(
                f"metadata.{name} is set by the dispatcher itself and cannot come from a column",
                hint="rename the column",
            )


def _left_out(
    head: SheetHead, headings: Headings, settings: PlanSettings, used: frozenset[int]
) -> dict[int, str]:
    """Column -> why it is no additional data; "" for one that feeds a field instead."""
    excluded = {fold(header) for header in settings.exclude}
    named = {headings.column(h, "additional_data.include") for h in settings.include or ()}
    reasons: dict[int, str] = {}
    for index, text in enumerate(headings.folded):
        if text in RESULT_NAMES:
            reasons[index] = "it bears the name of a column of the results"
        elif not text:
            reasons[index] = "its header is empty"
        elif text in excluded:
            reasons[index] = "it is excluded by additional_data.exclude"
        elif index in named:
            continue
        elif is_error(headings.texts[index]):
            reasons[index] = "its header is the error of a formula"
        elif index in head.hidden_columns:
            reasons[index] = "it is hidden in the sheet"
        elif settings.include is not None:
            reasons[index] = "additional_data.include does not name it"
        if index in used:
            reasons[index] = ""
    return reasons


def _refuse_doubtful(headings: Headings, used: set[int], results: tuple[int, ...]) -> None:
    """Refuse a header that two columns share, and one that cannot be meant as it is sent."""
    headings.refuse_twins([*sorted(used), *results])
    for index in sorted(used):
        if is_error(headings.texts[index]):
            raise SheetRefused(
                f"The header of {headings.name(index)} is the error of a formula",
                hint="mend the formula, or type the header again",
            )
        if has_control(headings.texts[index]):
            raise SheetRefused(
                f"The header of {headings.name(index)} holds a control character",
                hint="type the header again, or leave it out with additional_data.exclude",
            )


def _remarks(
    headings: Headings, fields: dict[str, int], additional: tuple[int, ...], odd: tuple[int, ...]
) -> tuple[Remark, ...]:
    remarks = []
    if odd:
        message = (
            f"Left out of the additional data, because they bear the name of a column of the "
            f"results: {headings.names(odd)}; rename them if they should be sent"
        )
        remarks.append(Remark(code="result_column_name", message=message))
    errors = [index for index, text in enumerate(headings.texts) if is_error(text)]
    if errors:
        message = (
            f"Ignored, because the header is the error of a formula: {headings.names(errors)}; "
            f"type the header again if the column should be sent"
        )
        remarks.append(Remark(code="error_header", message=message))
    delay = fields.get(Field.DELAY)
    if delay is not None and fold_name(headings.texts[delay]) in DOUBTFUL_DELAYS:
        message = (
            f"{headings.name(delay)} is taken as minutes to wait before the call; if it means "
            f"something else, set columns: delay: '' in the configuration"
        )
        remarks.append(Remark(code="delay_by_name", message=message))
    padded = [i for i in additional if headings.texts[i] != headings.texts[i].strip()]
    if padded:
        message = (
            f"Sent with the white space around the header: {headings.names(padded)}; the agent "
            f"knows the value by exactly this name"
        )
        remarks.append(Remark(code="header_white_space", message=message))
    return tuple(remarks)
