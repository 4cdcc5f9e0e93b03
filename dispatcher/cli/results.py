"""Writes the results sheet from the ledger, to a place where nothing foreign is lost."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from dispatcher.cli.terminal import one_line, say
from dispatcher.config import home_folder
from dispatcher.errors import SheetRefused, StorageFailed, UsageProblem
from dispatcher.ledger import Ledger
from dispatcher.loader import ReadOptions, open_sheet
from dispatcher.model import (
    CallRequest,
    CallState,
    CallStatus,
    Campaign,
    Carried,
    Counts,
    Outcome,
    RecordedRow,
    ResultRow,
    Snapshot,
    StopWord,
)
from dispatcher.report import CodeGroup, Totals, headers_of, line_of, result_of
from dispatcher.writer import (
    Target,
    Written,
    default_results_path,
    digest_of,
    make_ready,
    probe_folder,
    target_for,
    write_results,
)

SANDBOX_PREFIX = "sandbox-"
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    Where the rows of a snapshot stand.

    Attributes:
        counts: All seven words.
        groups: Rows with a code, most frequent first.
    """

    counts: Counts
    groups: tuple[CodeGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsView:
    """
    One snapshot as its results sheet shows it.

    Attributes:
        ledger: The ledger.
        campaign: The campaign.
        snapshot: Its snapshot.
        timezone: For times in the sheet; "" is UTC.
        repeat_after_hours: How long a contact is left alone.
        as_of: The moment it is judged for.
        unrecorded: Ids of placed calls that the ledger could not take, by key.
    """

    ledger: Ledger
    campaign: Campaign
    snapshot: Snapshot
    timezone: str
    repeat_after_hours: float
    as_of: datetime
    unrecorded: Mapping[str, Outcome] = field(default_factory=dict)

    def lines(self, totals: Totals) -> Iterator[tuple[str, ...]]:
        """Yield the lines of the results sheet, counting them in *totals*."""
        replaced = self.snapshot.head.result_columns
        rows = self.ledger.rows(
            self.snapshot, repeat_after_hours=self.repeat_after_hours, as_of=self.as_of
        )
        for row in rows:
            result = self._result_of(self._as_placed(row))
            totals.add(result)
            yield line_of(result, result_columns=replaced)

    def _result_of(self, row: RecordedRow) -> ResultRow:
        return result_of(row, campaign=self.campaign.name, timezone=self.timezone, as_of=self.as_of)

    def _as_placed(self, row: RecordedRow) -> RecordedRow:
        """A sheet that knows an id the ledger could not take is one more place it is safe in."""
        if not self.unrecorded or row.call is None:
            return row
        key = row.fate.key if isinstance(row.fate, CallRequest | Carried) else ""
        if (outcome := self.unrecorded.get(key)) is None:
            return row
        call = replace(
            row.call,
            state=CallState.PLACED,
            code="not_recorded",
            message="placed, but the ledger could not record it: keep this sheet",
            http_status=outcome.http_status,
            call_id=outcome.call_id,
            created_at=outcome.created_at,
        )
        return replace(row, call=call)

    def standing(self) -> Standing:
        """Count the rows as the ledger knows them, reading only those with a reason."""
        hours, as_of = self.repeat_after_hours, self.as_of
        plain = self.ledger.plain_rows(self.snapshot, repeat_after_hours=hours, as_of=as_of)
        totals = Totals()
        totals.add_plain(CallStatus.PLACED, plain.placed)
        totals.add_plain(CallStatus.PENDING, plain.pending)
        others = self.ledger.rows(
            self.snapshot, repeat_after_hours=hours, as_of=as_of, numbers=plain.others
        )
        for row in others:
            totals.add(self._result_of(row))
        return Standing(counts=totals.counts, groups=totals.groups)


def results_target(asked: Path | None, sheet: Path, *, input_format: str, delimiter: str) -> Target:
    """
    Decide where the results go, and try the folder.

    Args:
        asked: What was asked for, or None for beside the sheet.
        sheet: The input.
        input_format: Its format; a CSV gets a CSV.
        delimiter: Its delimiter.

    Raises:
        StorageFailed: nothing can be written there.
        UsageProblem: the name is no name for a sheet.
    """
    path = asked or default_results_path(sheet, input_format=input_format)
    target = target_for(path.absolute(), delimiter=delimiter)
    probe_folder(target.path)
    make_ready(target)
    return target


def refuse_foreign(
    target: Target, ledger: Ledger, *, sheet: Path, unread: Sequence[Path] = ()
) -> None:
    """
    Refuse a target that is a results sheet of another ledger: somebody was called by it.

    The input itself is let pass: it is read, so its calls are known, and never written to. So is
    what this ledger has noted, unless its last run could not record everything it placed.

    Args:
        target: Where the results are to go.
        ledger: The ledger.
        sheet: The input.
        unread: Emergency files that cannot be read: the ids may be theirs.

    Raises:
        UsageProblem: it holds call ids that this ledger does not know.
    """
    if sheet.exists() and target.path.exists() and target.path.samefile(sheet):
        return
    if _is_known(target.path, ledger):
        return
    unknown = 0
    ids: set[str] = set()
    for call_id in _call_ids(target.path):
        ids.add(call_id)
        if len(ids) == _IDS_AT_ONCE:
            unknown += len(ids - ledger.known_call_ids(ids))
            ids.clear()
    unknown += len(ids - ledger.known_call_ids(ids))
    if unknown and unread:
        raise UsageProblem(
            f"{target.path} holds {unknown} call ids that the ledger does not know yet: it cannot "
            f"take them in from {unread[0]}, which cannot be read",
            hint="make that file readable and run again, or name another place with --results",
        )
    if unknown:
        raise UsageProblem(
            f"{target.path} holds {unknown} call ids that the ledger {ledger.location} does not "
            "know: another ledger has dialled them",
            hint="name that ledger with --ledger, or another place with --results",
        )


def _is_known(path: Path, ledger: Ledger) -> bool:
    """Tell without reading its rows whether the ledger knows every call id of a sheet."""
    noted = ledger.results_files.at(str(path))
    campaign = ledger.campaign(noted.campaign) if noted else None
    last = ledger.last_run(campaign.id) if campaign else None
    if noted is None or last is None or last.end is None:
        return False
    return last.end.stopped is not StopWord.LEDGER_FAILED and _has_digest(path, noted.digest)


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return path.is_file() and digest_of(path) == digest
    except OSError:
        return False


def write(
    view: ResultsView,
    target: Target,
    *,
    sheet: Path,
    summary: Callable[[Standing], tuple[tuple[str, str], ...]],
) -> tuple[Written, Standing]:
    """
    Write the results sheet, and note what was written; see ``write_somewhere``.

    Raises:
        StorageFailed: it cannot be written there, or the ledger cannot be read or written.
    """
    written, standing = _write(view, target, sheet=sheet, summary=summary)
    note(view.ledger, written, view.campaign)
    return written, standing


def write_somewhere(
    view: ResultsView,
    target: Target,
    *,
    sheet: Path,
    summary: Callable[[Standing], tuple[tuple[str, str], ...]],
) -> tuple[Written, Standing]:
    """
    Write the results sheet, in the home folder if its own place cannot be written any more.

    Args:
        view: What it shows.
        target: Where it goes; a numbered sibling where that is not ours.
        sheet: The input, which gives its permissions and is never overwritten.
        summary: Gives the rows of the Summary sheet once everything is counted.

    Raises:
        StorageFailed: no place can be found, or the ledger cannot be read.
    """
    try:
        return _write(view, target, sheet=sheet, summary=summary)
    except StorageFailed as fault:
        if (home := home_folder()) is None:
            raise
        elsewhere = replace(target, path=home / target.path.name)
        try:
            written, standing = _write(view, elsewhere, sheet=sheet, summary=summary)
        except StorageFailed:
            ledger = shlex.quote(view.ledger.location)
            again = f"dispatcher results {shlex.quote(view.campaign.name)} --ledger {ledger}"
            hint = f"nothing is lost; once there is a place: {again} --results FILE"
            raise StorageFailed(fault.message, hint=hint) from fault
        say(one_line(f"{fault.message}: the results are in the home folder instead."))
        return written, standing


def note(ledger: Ledger, written: Written, campaign: Campaign) -> None:
    """
    Remember what was written: only that is overwritten by a later run.

    Raises:
        StorageFailed: the ledger cannot be written.
    """
    try:
        ledger.results_files.note(str(written.path), written.digest, campaign.name)
    except StorageFailed as fault:
        raise StorageFailed(
            f"the results are in {written.path}, but {fault.message}", hint=fault.hint
        ) from fault


def _write(
    view: ResultsView,
    target: Target,
    *,
    sheet: Path,
    summary: Callable[[Standing], tuple[tuple[str, str], ...]],
) -> tuple[Written, Standing]:
    head = view.snapshot.head
    totals = Totals()

    def standing() -> Standing:
        return Standing(counts=totals.counts, groups=totals.groups)

    written = write_results(
        target,
        headers_of(head.headers, result_columns=head.result_columns),
        view.lines(totals),
        lambda: summary(standing()),
        ours=_ours(view.ledger, view.campaign),
        never=(sheet,),
        mode_from=sheet,
    )
    if written.is_beside:
        why = "It is the input, open in a program, read-only or not as it was left."
        say(one_line(f"{target.path} is not ours to overwrite: the results are beside it. {why}"))
    return written, standing()


def _ours(ledger: Ledger, campaign: Campaign) -> Callable[[Path, str], bool]:
    def is_ours(path: Path, digest: str) -> bool:
        noted = ledger.results_files.at(str(path))
        if noted is not None and (noted.digest, noted.campaign) == (digest, campaign.name):
            return True
        return _is_rehearsed(path)

    return is_ours


def _is_rehearsed(path: Path) -> bool:
    """A results sheet of the sandbox tells of nobody; the next rehearsal may have its place."""
    is_rehearsed = False
    for call_id in _all_call_ids(path):
        if not call_id.startswith(SANDBOX_PREFIX):
            return False
        is_rehearsed = True
    return is_rehearsed


def _call_ids(path: Path) -> Iterator[str]:
    return (i for i in _all_call_ids(path) if not i.startswith(SANDBOX_PREFIX))


def _all_call_ids(path: Path) -> Iterator[str]:
    """Yield the call ids of a results sheet; nothing where there is none."""
    if not path.is_file():
        return
    names = {"call_status", "call_id"}
    try:
        with open_sheet(str(path), options=ReadOptions(), wanted=names.issubset) as sheet:
            headers = sheet.head.headers
            if not names.issubset(headers):
                return
            column = headers.index("call_id")
            for row in sheet.rows():
                if call_id := row.cells[column].strip():
                    yield call_id
    except SheetRefused:
        return  # it is no sheet of ours, and is not overwritten either
