"""How the rows of a sheet add up, and the exit status that follows."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from dispatcher.model import CallStatus, Counts, ResultRow, StopWord

_ROWS_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeGroup:
    """
    Rows that fare alike.

    Attributes:
        status: Their status.
        code: Their stable word.
        message: The sentence of the first of them.
        count: How many they are, at least 1.
        rows: Numbers of the first few, in input order.
    """

    status: CallStatus
    code: str
    message: str
    count: int
    rows: tuple[int, ...]


class Totals:
    """Counts result rows as they pass, in constant memory."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(CallStatus, 0)
        self._groups: dict[tuple[CallStatus, str], CodeGroup] = {}

    def add(self, row: ResultRow) -> None:
        """Count one row."""
        self._counts[row.status] += 1
        if row.error_code:
            self._add_code(row)

    def add_plain(self, status: CallStatus, count: int) -> None:
        """Count rows of which there is no more to say than their status."""
        self._counts[status] += count

    @property
    def rows(self) -> int:
        """Rows counted so far."""
        return sum(self._counts.values())

    @property
    def counts(self) -> Counts:
        """All seven words; they add up to ``rows``."""
        return dict(self._counts)

    @property
    def groups(self) -> tuple[CodeGroup, ...]:
        """Rows with a code, grouped by status and code: most frequent first."""
        return tuple(sorted(self._groups.values(), key=lambda g: (-g.count, g.rows)))

    def _add_code(self, row: ResultRow) -> None:
        known = self._groups.get((row.status, row.error_code))
        rows = known.rows if known else ()
        self._groups[row.status, row.error_code] = CodeGroup(
            status=row.status,
            code=row.error_code,
            message=known.message if known else row.error,
            count=known.count + 1 if known else 1,
            rows=(*rows, row.number) if len(rows) < _ROWS_NAMED else rows,
        )


def count(rows: Iterable[ResultRow]) -> Counts:
    """Return how many rows stand at each of the seven words, zeros included."""
    totals = Totals()
    for row in rows:
        totals.add(row)
    return totals.counts


def this_run_counts(settled: Mapping[CallStatus, int], *, final: Counts) -> Counts:
    """
    Return the seven words for this run alone.

    Args:
        settled: Calls this run brought to placed, rejected, failed or uncertain.
        final: The final counts of the sheet. Invalid and skipped rows are judged anew at every
            run, and what is pending was left by this one, so these three are taken from here.
    """
    judged = (CallStatus.INVALID, CallStatus.SKIPPED, CallStatus.PENDING)
    return {word: final[word] if word in judged else settled.get(word, 0) for word in CallStatus}


def exit_status(counts: Counts, *, stopped: StopWord | None, signal_number: int | None) -> int:
    """
    Return the exit status of a run: 8 over 130 and 143 over 6 over 5 over 4 over 0.

    Args:
        counts: Final counts of the sheet's rows, not of this run alone.
        stopped: Why the run ended before its calls did, or None.
        signal_number: The signal that came, or None.
    """
    if stopped is StopWord.LEDGER_FAILED:
        return 8
    if signal_number is not None or stopped in (StopWord.SIGNAL, StopWord.ASKED):
        return 130 if signal_number == signal.SIGINT else 143
    if stopped is not None and _by_itself(stopped):
        return 6
    if counts[CallStatus.UNCERTAIN]:
        return 5
    amiss = (CallStatus.INVALID, CallStatus.REJECTED, CallStatus.FAILED)
    return 4 if any(counts[word] for word in amiss) else 0


def _by_itself(word: StopWord) -> bool:
    """Tell whether the run stopped of its own accord rather than as it was told to."""
    match word:
        case (
            StopWord.LIMIT
            | StopWord.STOP_AT
            | StopWord.MAX_MINUTES
            | StopWord.SIGNAL
            | StopWord.ASKED
            | StopWord.LEDGER_FAILED
        ):
            return False
        case (
            StopWord.KEY_REFUSED
            | StopWord.CREDIT_REFUSED
            | StopWord.REFUSED
            | StopWord.NOT_THE_API
            | StopWord.FIRST_CALLS_REFUSED
            | StopWord.UNREACHABLE
            | StopWord.BREAKER
            | StopWord.TOO_MANY_UNCERTAIN
            | StopWord.WAIT_TOO_LONG
        ):
            return True
        case _:
            assert_never(word)
