"""``check``: what was recognised, the problems by row, the first requests as they would be sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dispatcher.cli.options import SheetOptions
from dispatcher.cli.problems import ProblemSheet
from dispatcher.cli.reading import CampaignSheet, FoundSettings, find_settings, opened, pairs_of
from dispatcher.cli.terminal import one_line, put, put_json, say
from dispatcher.config import overlay
from dispatcher.model import CallRequest, Carried, PlannedRow, Remark, RowProblem, Skip
from dispatcher.planning import body_of, layout_needs, past_schedule

_PREVIEWED = 2
_ROWS_SHOWN = 5
_FINISHED, _WITH_PROBLEMS = 0, 4


@dataclass(slots=True)
class _Tally:
    """What a pass over the rows found; it grows with the problems, not with the rows."""

    callable: int = 0
    problems: list[tuple[int, RowProblem]] = field(default_factory=list)
    skipped: list[tuple[int, Skip]] = field(default_factory=list)
    preview: list[CallRequest] = field(default_factory=list)

    def add(self, row: PlannedRow, now: datetime) -> None:
        fate = row.fate
        if isinstance(fate, CallRequest):
            fate = past_schedule(fate, now=now) or fate
        match fate:
            case CallRequest():
                self.callable += 1
                if len(self.preview) < _PREVIEWED:
                    self.preview.append(fate)
            case RowProblem():
                self.problems.append((row.number, fate))
            case Skip():
                self.skipped.append((row.number, fate))
            case Carried(status=status):
                word = f"already_{status}"
                said = f"The sheet says that this call is {status} already; it is not sent again."
                self.skipped.append((row.number, Skip(code=word, message=said)))


def check_sheet(options: SheetOptions) -> int:
    """
    Read and validate a sheet, and say what would happen.

    Returns:
        0 when every row can be called or is skipped for a reason, 4 when some are problems.

    Raises:
        SheetRefused: it cannot be read as a campaign.
        UsageProblem: an option or the configuration is not right.
    """
    found = find_settings(options.config, sheet=options.path)
    settings = overlay(found.settings, columns=pairs_of(options.maps))
    now = datetime.now(tz=UTC)
    with ExitStack() as stack:
        campaign = stack.enter_context(opened(options, settings))
        problems = ProblemSheet(options.problems, campaign)
        tally = _Tally()
        for row in problems.watched(campaign.planned(), now=now):
            tally.add(row, now)
        remarks = (*campaign.remarks(), *_own_remarks(campaign))
        if options.json:
            put_json(_as_json(campaign, tally, remarks, now))
        else:
            _show(campaign, tally, remarks, found, now)
            problems.say_written()
    return _WITH_PROBLEMS if tally.problems else _FINISHED


def _own_remarks(campaign: CampaignSheet) -> Iterator[Remark]:
    if not campaign.rows:
        yield Remark(code="no_rows", message="There is no row below the header: nobody to call.")
    for name in layout_needs(campaign.layout, campaign.plan):
        option = f"--{name.replace('_', '-')}"
        said = (
            f"No column and no default gives {name}; 'run' needs one: "
            f"set defaults.{name} in the configuration or give {option}."
        )
        yield Remark(code=f"no_{name}", message=said)


def _as_json(
    campaign: CampaignSheet, tally: _Tally, remarks: tuple[Remark, ...], now: datetime
) -> str:
    head = campaign.sheet.head
    return json.dumps(
        {
            "file": head.file,
            "format": head.format,
            "sheet": head.sheet,
            "encoding": head.encoding,
            "delimiter": head.delimiter,
            "header_row": head.header_row,
            "headers": head.headers,
            "data_rows": campaign.rows,
            "callable": tally.callable,
            "problems": [
                {"row": row, "column": p.column, "code": p.code, "message": p.message}
                for row, p in tally.problems
            ],
            "skipped": [
                {"row": row, "code": s.code, "message": s.message} for row, s in tally.skipped
            ],
            "warnings": [{"code": r.code, "message": r.message} for r in remarks],
            "preview": [json.loads(_body(campaign, request, now)) for request in tally.preview],
        },
        ensure_ascii=False,
    )


def _show(
    campaign: CampaignSheet,
    tally: _Tally,
    remarks: tuple[Remark, ...],
    found: FoundSettings,
    now: datetime,
) -> None:
    for line in _recognised(campaign, found):
        put(line)
    put("")
    total = campaign.rows
    put(
        f"{total} rows: {tally.callable} can be called, {len(tally.skipped)} skipped, "
        f"{len(tally.problems)} with a problem."
    )
    for line in _grouped([(row, p.code, p.message) for row, p in tally.problems], "problem"):
        put(line)
    for line in _grouped([(row, s.code, s.message) for row, s in tally.skipped], "skipped"):
        put(line)
    for remark in remarks:
        say(f"Warning ({remark.code}): {one_line(remark.message)}")
    if tally.preview:
        put("")
        put("The first requests, exactly as they would be sent now:")
        for request in tally.preview:
            put(one_line(f"  row {request.row}: {_body(campaign, request, now)}"))
    put("Nothing was sent.")


def _recognised(campaign: CampaignSheet, found: FoundSettings) -> Iterator[str]:
    head, layout = campaign.sheet.head, campaign.layout
    how = [head.format.upper()]
    how += [f'sheet "{head.sheet}"'] if head.sheet else []
    how += [head.encoding] if head.encoding else []
    how += [f"delimiter {_delimiter(head.delimiter)}"] if head.delimiter else []
    yield one_line(f"{head.file}: {', '.join(how)}, header in row {head.header_row}")
    yield f"Configuration: {found.path or 'none found, defaults apply'}"
    yield one_line(f"Campaign: {campaign.plan.campaign}")
    for name, column in layout.fields:
        yield one_line(f'  {name} <- "{head.headers[column]}"')
    names = ", ".join(f'"{text}"' for _, text in layout.additional)
    yield one_line(f"  additional data <- {names or 'no column'}")
    for column, reason in layout.left_out:
        yield one_line(f'  not sent: "{head.headers[column]}" ({reason})')


def _delimiter(text: str) -> str:
    return {"\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe"}.get(text, text)


def _grouped(rows: list[tuple[int, str, str]], word: str) -> Iterator[str]:
    for code, count in Counter(code for _, code, _ in rows).most_common():
        found = [(row, message) for row, this, message in rows if this == code]
        yield f"  {count} {word}: {code}"
        for row, message in found[:_ROWS_SHOWN]:
            yield one_line(f"    row {row}: {message}")
        if count > _ROWS_SHOWN:
            yield f"    and {count - _ROWS_SHOWN} more"


def _body(campaign: CampaignSheet, request: CallRequest, now: datetime) -> str:
    plan = campaign.plan
    return body_of(request, campaign=plan.campaign, now=now, delay=plan.delay).decode()
