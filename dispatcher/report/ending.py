"""What a run says when it ends: to a person, in the Summary sheet, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NotRequired, TypedDict
from zoneinfo import ZoneInfo

from dispatcher.model import RESOLVED_NOT_PLACED, CallStatus, Counts, Purpose, StopWord
from dispatcher.report.totals import CodeGroup

_GROUPS_SHOWN = 8
_SENTENCE = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """
    What there is to say about a run.

    Attributes:
        campaign: Normalised name, or "" where the run did not get so far; so for all texts.
        as_typed: The name as commands take it, with the ledger where it has to be named.
        sheet: Path of the sheet.
        results: Path of the results sheet that was written.
        ledger: Place of the ledger.
        purpose: What the ledger is for; in a rehearsal nobody was called.
        counts: Final counts of the sheet's rows, all seven words.
        this_run: The same words for this run alone.
        stopped: Why the run ended before its calls did, or None.
        message: One line that says what to do, or "".
        started_at: Aware UTC.
        finished_at: Aware UTC.
        exit_code: The exit status.
    """

    campaign: str = ""
    as_typed: str = ""
    sheet: str = ""
    results: str = ""
    ledger: str = ""
    purpose: Purpose = Purpose.REAL
    counts: Counts
    this_run: Counts
    stopped: StopWord | None = None
    message: str = ""
    started_at: datetime
    finished_at: datetime
    exit_code: int

    @property
    def rows(self) -> int:
        """Data rows of the sheet: what the counts add up to."""
        return sum(self.counts.values())

    @property
    def seconds(self) -> float:
        """Duration, never negative even where the clock was set back."""
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    @property
    def calls_per_minute(self) -> float:
        """Calls this run brought to an end, over its whole duration."""
        calls = sum(self.this_run[word] for word in _SETTLED)
        return calls * 60 / self.seconds if self.seconds else 0.0


_SETTLED = (
    CallStatus.PLACED,
    CallStatus.REJECTED,
    CallStatus.FAILED,
    CallStatus.UNCERTAIN,
)


class RunJson(TypedDict):
    """The one JSON object that ends ``run --json``."""

    campaign: str
    sheet: str
    results: str
    ledger: str
    rows: int
    counts: dict[str, int]
    this_run: dict[str, int]
    stopped: str | None
    started_at: str
    finished_at: str
    seconds: float
    calls_per_minute: float
    exit_code: int
    message: NotRequired[str]


def run_json(facts: RunFacts) -> RunJson:
    """Return the JSON-ready object; ``message`` only where there is one."""
    ended = RunJson(
        campaign=facts.campaign,
        sheet=facts.sheet,
        results=facts.results,
        ledger=facts.ledger,
        rows=facts.rows,
        counts=_words(facts.counts),
        this_run=_words(facts.this_run),
        stopped=facts.stopped.value if facts.stopped else None,
        started_at=_iso(facts.started_at),
        finished_at=_iso(facts.finished_at),
        seconds=round(facts.seconds, 3),
        calls_per_minute=round(facts.calls_per_minute, 1),
        exit_code=facts.exit_code,
    )
    if facts.message:
        ended["message"] = facts.message
    return ended


def summary_pairs(facts: RunFacts, *, timezone: str) -> tuple[tuple[str, str], ...]:
    """
    Return the (label, text) rows of the Summary sheet.

    Args:
        facts: The run.
        timezone: IANA name for its times; "" is UTC.
    """
    zone = ZoneInfo(timezone) if timezone else UTC
    rehearsal = facts.purpose is Purpose.SANDBOX
    return (
        *((("Rehearsal", _REHEARSAL),) if rehearsal else ()),
        ("Campaign", facts.campaign),
        ("Rows", str(facts.rows)),
        *((word.value.capitalize(), str(facts.counts[word])) for word in CallStatus),
        *(
            (f"{word.value.capitalize()} by this run", str(facts.this_run[word]))
            for word in _SETTLED
        ),
        ("Sheet", facts.sheet),
        ("Ledger", facts.ledger),
        ("Started", facts.started_at.astimezone(zone).isoformat(timespec="seconds")),
        ("Finished", facts.finished_at.astimezone(zone).isoformat(timespec="seconds")),
        ("Seconds", f"{facts.seconds:.1f}"),
        ("Calls per minute", f"{facts.calls_per_minute:.1f}"),
        ("Stopped", facts.stopped.value if facts.stopped else "no"),
        *((("Message", facts.message),) if facts.message else ()),
    )


def summary_lines(facts: RunFacts, groups: Sequence[CodeGroup]) -> tuple[str, ...]:
    """
    Return the lines a person reads when a run has ended: counts, why, where, and what to do next.

    Args:
        facts: The run.
        groups: Rows with a code, most frequent first.
    """
    return tuple(_lines(facts, groups))


_REHEARSAL = "This was a rehearsal on the sandbox: nobody was called."
_NEXT = {
    CallStatus.INVALID: "Invalid rows: mend them in the sheet and run it again; "
    "only what was not called is called.",
    CallStatus.REJECTED: "Rejected calls: a row that was changed is sent again by the next run, "
    "an unchanged one only with --retry-rejected.",
    CallStatus.FAILED: "Failed calls were not placed; the next run tries them again.",
    CallStatus.UNCERTAIN: "Uncertain calls may have been placed and are never sent again by "
    "themselves. Look for them in ContactShip's list of calls, then settle the rest by hand:",
    CallStatus.PENDING: "Pending calls were not placed. Continue with:",
}
_WITH_COMMANDS = (CallStatus.UNCERTAIN, CallStatus.PENDING)
_UNPLACED = "Calls settled as not placed are sent again only with --retry-unplaced."


def _lines(facts: RunFacts, groups: Sequence[CodeGroup]) -> Iterator[str]:
    if facts.purpose is Purpose.SANDBOX:
        yield _REHEARSAL
    present = [f"{facts.counts[word]} {word.value}" for word in CallStatus if facts.counts[word]]
    yield f"{facts.rows} rows: {', '.join(present) or 'nothing to do'}."
    if any(facts.this_run[word] for word in _SETTLED):
        by_us = [f"{facts.this_run[w]} {w.value}" for w in _SETTLED if facts.this_run[w]]
        yield f"This run: {', '.join(by_us)}, {facts.calls_per_minute:.0f} a minute."
    if facts.stopped:
        yield f"Stopped early ({facts.stopped.value}). {facts.message}".rstrip()
    elif facts.message:
        yield facts.message
    yield from _group_lines(groups)
    yield from _next_lines(facts, groups)
    if facts.results:
        yield f"Results: {facts.results}"


def _group_lines(groups: Sequence[CodeGroup]) -> Iterator[str]:
    for group in groups[:_GROUPS_SHOWN]:
        rows = ", ".join(map(str, group.rows)) + (", ..." if group.count > len(group.rows) else "")
        noun = "row" if group.count == 1 else "rows"
        head = f"  {group.count} {group.status.value}, {group.code} ({noun} {rows})"
        yield f"{head}: {_plain(group.message)}" if group.message else head
    if len(groups) > _GROUPS_SHOWN:
        yield f"  and {len(groups) - _GROUPS_SHOWN} other reasons; see call_error_code."


def _next_lines(facts: RunFacts, groups: Sequence[CodeGroup]) -> Iterator[str]:
    name = facts.as_typed
    unplaced = sum(group.count for group in groups if group.code == RESOLVED_NOT_PLACED)
    commands = {
        CallStatus.FAILED: (_UNPLACED,) if unplaced else (),
        CallStatus.UNCERTAIN: (
            f"  dispatcher reconcile {name}",
            f"  dispatcher resolve {name} --row N (--placed CALL_ID | --not-placed) --reason TEXT",
        ),
        CallStatus.PENDING: (f"  dispatcher run --campaign {name}",),
    }
    for word, advice in _NEXT.items():
        # The ledger of a rehearsal is gone afterwards: there is nothing to settle or continue.
        if not facts.counts[word] or (word in _WITH_COMMANDS and facts.purpose is Purpose.SANDBOX):
            continue
        if word is not CallStatus.FAILED or facts.counts[word] > unplaced:
            yield advice
        yield from commands.get(word, ())


def _plain(text: str) -> str:
    """Return the text fit for one line of a terminal: no control or direction marks, not long."""
    shown = "".join(c if c.isprintable() else " " for c in text[: _SENTENCE + 1])
    return shown if len(shown) <= _SENTENCE else f"{shown[: _SENTENCE - 1]}…"


def _words(counts: Counts) -> dict[str, int]:
    return {word.value: counts[word] for word in CallStatus}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
