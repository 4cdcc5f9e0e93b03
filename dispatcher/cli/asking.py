"""What a person sees and is asked before the first call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

from dispatcher.cli.job import Job
from dispatcher.cli.terminal import ask, counted, is_interactive, one_line, say
from dispatcher.cli.times import stop_moment
from dispatcher.config import DEFAULT_BASE_URL
from dispatcher.errors import Declined, UsageProblem
from dispatcher.ledger import Ledger
from dispatcher.model import CallRequest, CallStatus, Campaign, DueCall, Purpose, Snapshot
from dispatcher.pacer import parse_rate, strict_cost
from dispatcher.planning import body_of, past_schedule

_SECONDS_AN_HOUR = 3600
_SECONDS_A_MINUTE = 60
_OVERLAP_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """
    What a run would send.

    Attributes:
        total: Number of calls that could be placed now.
        count: How many of them this run places: fewer with ``--limit``, none after ``--stop-at``.
        first: The first of them, or None.
        calls: All that are due, to be sent as far as they still stand as they do now.
    """

    total: int
    count: int
    first: CallRequest | None
    calls: Iterator[DueCall]


def survey(job: Job, *, now: datetime) -> Due:
    """Count what is due, without changing anything."""
    calls = job.due(as_of=now)
    total = calls.count - calls.late
    timely = (call for call in calls if past_schedule(call.request, now=now) is None)
    some = [*islice(timely, 1)]
    stop_at = _stop_at(job)
    is_late = stop_at is not None and stop_at <= now
    count = 0 if is_late else min(total, job.options.limit or total)
    first = some[0].request if some else None
    return Due(total=total, count=count, first=first, calls=chain(some, timely))


def announce(job: Job, due: Due, *, started_at: datetime) -> None:
    """Say what is about to happen: count, pace, duration, ledger, what was called before."""
    _announce_others(job)
    new = ", new" if job.ledger.is_new else ""
    say(
        one_line(
            f'Campaign "{job.campaign.name}", {counted(job.snapshot.rows, "row")} of '
            f"{job.snapshot.head.file}"
        )
    )
    say(f"Ledger: {job.ledger.location}{new}")
    say(one_line(f"Configuration: {job.config or 'none found, defaults apply'}"))
    if job.api.purpose is Purpose.REAL and job.api.base_url != DEFAULT_BASE_URL:
        say(f"API: {job.api.base_url} (not the usual one)")
    for code, message in job.snapshot.head.remarks:
        say(f"Warning ({code}): {one_line(message)}")
    _announce_before(job, started_at)
    if not job.settings.repeat_after_hours:
        say("repeat_after_hours is 0: a contact may be called again the same day.")
    if due.first is None:
        nobody = "There is no row below the header: nobody to call."
        say("Nothing to call." if job.snapshot.rows else nobody)
        return
    if not due.count:
        say(f"To call: {due.total}, but {job.options.stop_at} is past (--stop-at): no call starts.")
        return
    of_all = f" of {due.total} (--limit)" if due.count < due.total else ""
    say(f"To call now: {due.count}{of_all}, {_pace(job, due.count)}")
    _announce_first(job, due.first, started_at)
    _announce_end(job)


def confirm(count: int) -> None:
    """
    Ask whether to place the calls.

    Raises:
        Declined: anything but a clear yes.
    """
    if not ask(f"Place {counted(count, 'call')} now?"):
        raise Declined("not confirmed: nothing was sent")


def refuse_overlap(
    ledger: Ledger, campaign: Campaign, snapshot: Snapshot, *, now: datetime
) -> None:
    """
    Ask about a new campaign if most of its people stand in another: is it the same one, renamed?

    Raises:
        UsageProblem: it may be, and nobody said otherwise; the new campaign is forgotten.
    """
    found = ledger.overlap(campaign.id, snapshot.id, since=now - timedelta(days=_OVERLAP_DAYS))
    if found is None:
        return
    other, count = found
    message = f'The campaign "{other}" has {counted(count, "call")} of this sheet already'
    if is_interactive() and _asks_anew(message, other, campaign.name):
        return
    ledger.forget(campaign.id)
    raise UsageProblem(
        message,
        hint=f"continue it with --campaign {json.dumps(other, ensure_ascii=False)}, or call "
        "them again on purpose by giving --campaign a new name",
    )


def _asks_anew(message: str, other: str, name: str) -> bool:
    say(one_line(f"{message}."))
    say(one_line(f'If this is the same campaign, answer no and run it with --campaign "{other}".'))
    return ask(one_line(f'Is "{name}" a new campaign, so that they are called again?'))


def _announce_others(job: Job) -> None:
    for name, pending in job.ledger.pending_elsewhere(job.campaign.id):
        say(
            one_line(
                f'Unfinished: campaign "{name}" has {counted(pending, "pending call")}; this run '
                "leaves it alone."
            )
        )
    others = job.ledger.other_pending(job.campaign.id, job.snapshot.id)
    if others:
        say(
            f"Not in this sheet, so not called: {counted(others, 'call')} of this campaign, "
            "pending from earlier."
        )


def _announce_before(job: Job, started_at: datetime) -> None:
    counts = job.view(started_at).standing().counts
    before = [f"{counts[word]} {word.value}" for word in CallStatus if counts[word]]
    say(f"So far: {', '.join(before) or 'no rows'}.")


def _announce_first(job: Job, first: CallRequest, now: datetime) -> None:
    body = body_of(
        first,
        campaign=job.campaign.name,
        now=now,
        delay=job.delay,
    )
    say(
        f"Agent {one_line(first.agent_id)}, from number {one_line(first.from_number_id)} "
        f"(first call, row {first.row})."
    )
    say(f"First request, as if sent now: {one_line(body.decode())}")


def _announce_end(job: Job) -> None:
    stop_at = _stop_at(job)
    if stop_at is not None:
        left = max(0, int((stop_at - datetime.now(tz=UTC)).total_seconds()))
        say(
            f"No call starts after {job.options.stop_at} ({stop_at.astimezone():%H:%M %Z} on this "
            f"machine), {_duration(left)} from now."
        )


def _stop_at(job: Job) -> datetime | None:
    return stop_moment(job.options.stop_at, timezone=job.settings.defaults.timezone)


def _pace(job: Job, count: int) -> str:
    pace = job.settings.pace
    rate = parse_rate(pace.rate)
    if rate is None:
        return f"as fast as {pace.workers or 'the usual'} workers can."
    takes = f"at {pace.rate}: about {_duration(count * rate.spacing_seconds)}"
    if not pace.strict:
        return f"{takes}."
    cost = strict_cost(rate, seconds=1)
    return f"{takes}, and more as answers take (pace.strict: one second each costs {cost:.0%})."


def _duration(seconds: float) -> str:
    if seconds < _SECONDS_A_MINUTE:
        return f"{seconds:.0f} seconds"
    if seconds < _SECONDS_AN_HOUR:
        return f"{seconds / _SECONDS_A_MINUTE:.0f} minutes"
    return f"{seconds / _SECONDS_AN_HOUR:.1f} hours"
