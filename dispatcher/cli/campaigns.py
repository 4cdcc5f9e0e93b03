"""``status`` and ``results``: what the ledger says, also while a run is live."""

from __future__ import annotations

import json as json_text
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.cli import results
from dispatcher.cli.job import last_snapshot, unknown_campaign
from dispatcher.cli.reading import STANDARD_INPUT, find_settings
from dispatcher.cli.terminal import one_line, put, put_json, say
from dispatcher.config import Settings, default_ledger
from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.ledger import KnownRun, Ledger, open_ledger, read_ledger
from dispatcher.loader import file_digest
from dispatcher.model import CallState, CallStatus, Campaign, Snapshot
from dispatcher.planning import campaign_name
from dispatcher.report import RunFacts, exit_status, summary_pairs
from dispatcher.writer import Target, Written

_OPEN = (CallStatus.PENDING, CallStatus.UNCERTAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One campaign as ``status`` shows it."""

    campaign: Campaign
    sheet: str
    standing: results.Standing
    is_live: bool
    other_pending: int
    purged_at: datetime | None
    last: KnownRun | None

    @property
    def is_unfinished(self) -> bool:
        return self.is_live or any(self.standing.counts[word] for word in _OPEN)


def show_status(
    campaign: str, *, ledger: str, on_network: bool, config: Path | None, json: bool
) -> int:
    """
    Show the campaigns, unfinished ones first, or one.

    Returns:
        0.

    Raises:
        UsageProblem: the ledger knows no such campaign.
    """
    settings = find_settings(config).settings
    place = ledger_place(ledger, settings)
    opened = read_ledger(place, allow_network=on_network)
    if opened is None:
        if campaign:
            raise UsageProblem(f"there is no ledger at {place}, so no campaign {campaign!r}")
        if json:
            put_json(json_text.dumps({"ledger": place, "campaigns": []}))
        else:
            put(f"There is no ledger at {place} yet: nothing was run.")
        return 0
    with opened:
        known = opened.campaigns()
        if campaign:
            name = campaign_name(campaign)
            known = tuple(c for c in known if c.name == name)
            if not known:
                raise unknown_campaign(name, opened)
        shown = [_shown(opened, each, settings) for each in known]
        shown.sort(key=lambda s: (not s.is_unfinished, s.campaign.name))
        if json:
            put_json(_as_json(opened, shown))
        else:
            put(one_line(f"Ledger: {opened.location}"))
            for each in shown:
                _show(each, as_typed(each.campaign.name, opened, settings))
    return 0


def write_results_again(
    campaign: str,
    *,
    results_path: Path | None,
    ledger: str,
    on_network: bool,
    config: Path | None,
    json: bool,
) -> int:
    """
    Write the results sheet of a campaign's last snapshot.

    Returns:
        The exit status that follows from the counts.

    Raises:
        StorageFailed: it cannot be written.
        UsageProblem: the ledger knows no such campaign.
    """
    settings = find_settings(config).settings
    with existing_ledger(ledger_place(ledger, settings), on_network=on_network) as opened:
        name = campaign_name(campaign)
        known = opened.campaign(name)
        if known is None:
            raise unknown_campaign(name, opened)
        target = _target(opened, known, results_path)
        sheet = _sheet_of(known, last_snapshot(opened, known))
        results.refuse_foreign(target, opened, sheet=sheet)
        written, standing = _write(opened, known, settings, target)
    if json:
        counts = {word.value: number for word, number in standing.counts.items()}
        told = {"campaign": name, "results": str(written.path), "counts": counts}
        put_json(json_text.dumps(told))
    say(one_line(f"Results: {written.path}"))
    return exit_status(standing.counts, stopped=None, signal_number=None)


def rewrite_results(ledger: Ledger, campaign: Campaign, settings: Settings) -> Written:
    """
    Write the results sheet again where it was written last, if it was not edited since.

    Raises:
        StorageFailed: it cannot be written.
        UsageProblem: there is no recording it could be written from.
    """
    noted = [(Path(n.path), n.digest) for n in ledger.results_files.of(campaign.name)]
    there = [(path, digest) for path, digest in noted if path.is_file()]
    ours = [path for path, digest in there if _holds(path, digest)]
    last = max(ours, key=lambda path: path.stat().st_mtime_ns, default=None)
    return _write(ledger, campaign, settings, _target(ledger, campaign, last))[0]


def _holds(path: Path, digest: str) -> bool:
    try:
        return file_digest(str(path)) == digest
    except SheetRefused:  # it cannot be read, so neither can it be ours to overwrite
        return False


def ledger_place(option: str, settings: Settings) -> str:
    """Return where the ledger is: option, environment, file, default."""
    return option or settings.ledger or default_ledger()


def as_typed(campaign: str, ledger: Ledger, settings: Settings) -> str:
    """
    Return a campaign's name as a command that is suggested takes it.

    With ``--ledger`` where the command would find another ledger without it.
    """
    name = shlex.quote(campaign)
    found = ledger_place("", settings).removeprefix("sqlite:///")
    if Path(found).expanduser().resolve() == Path(ledger.location):
        return name
    return f"{name} --ledger {shlex.quote(ledger.location)}"


def existing_ledger(place: str, *, on_network: bool = False) -> Ledger:
    """
    Open a ledger that exists, whatever it is for.

    Args:
        place: Where it is.
        on_network: It may lie on a network file system.

    Raises:
        UsageProblem: there is none.
    """
    readable = read_ledger(place, allow_network=on_network)
    if readable is None:
        raise UsageProblem(f"there is no ledger at {place}", hint="name it with --ledger")
    with readable:
        purpose = readable.purpose
    return open_ledger(place, purpose=purpose, create=False, allow_network=on_network)


def _sheet_of(campaign: Campaign, snapshot: Snapshot) -> Path:
    """Return the path of the sheet, a name of its own where it came from standard input."""
    file = snapshot.head.file
    return Path(f"{campaign.name}.csv" if file == STANDARD_INPUT else file)


def _target(ledger: Ledger, campaign: Campaign, wished: Path | None) -> Target:
    snapshot = last_snapshot(ledger, campaign)
    return results.results_target(
        wished,
        _sheet_of(campaign, snapshot),
        input_format=snapshot.head.format,
        delimiter=snapshot.head.delimiter,
    )


def _write(
    ledger: Ledger, campaign: Campaign, settings: Settings, target: Target
) -> tuple[Written, results.Standing]:
    view = _view(ledger, campaign, settings)

    def summary(standing: results.Standing) -> tuple[tuple[str, str], ...]:
        facts = _facts(ledger, campaign, standing, view.snapshot.head.file)
        return summary_pairs(facts, timezone=settings.defaults.timezone)

    return results.write(view, target, sheet=_sheet_of(campaign, view.snapshot), summary=summary)


def _view(ledger: Ledger, campaign: Campaign, settings: Settings) -> results.ResultsView:
    """
    The sheet as its last run left it; while a run is live, as of now.

    What depends on the time (called recently, a schedule now past) is judged for that moment, so
    that a sheet written again a week later says the same.
    """
    last = ledger.last_run(campaign.id)
    finished = last.end.finished_at if last and last.end else None
    live = ledger.holding.is_held(campaign.name)
    return results.ResultsView(
        ledger=ledger,
        campaign=campaign,
        snapshot=last_snapshot(ledger, campaign),
        timezone=settings.defaults.timezone,
        repeat_after_hours=settings.repeat_after_hours,
        as_of=datetime.now(tz=UTC) if live or finished is None else finished,
    )


def _facts(ledger: Ledger, campaign: Campaign, standing: results.Standing, sheet: str) -> RunFacts:
    last = ledger.last_run(campaign.id)
    now = datetime.now(tz=UTC)
    end = last.end if last else None
    return RunFacts(
        campaign=campaign.name,
        sheet=sheet,
        ledger=ledger.location,
        purpose=ledger.purpose,
        counts=standing.counts,
        this_run=dict.fromkeys(CallStatus, 0),
        stopped=end.stopped if end else None,
        message=end.message if end else "",
        started_at=last.start.started_at if last else now,
        finished_at=end.finished_at if end else now,
        exit_code=exit_status(standing.counts, stopped=None, signal_number=None),
    )


def _shown(ledger: Ledger, campaign: Campaign, settings: Settings) -> _Shown:
    snapshot = ledger.last_snapshot(campaign.id)
    if snapshot is None:
        nothing = results.Standing(counts=dict.fromkeys(CallStatus, 0), groups=())
        standing, sheet, other = nothing, "", ledger.other_pending(campaign.id, 0)
    elif snapshot.purged_at is not None:
        standing, sheet, other = _calls_alone(ledger, campaign), snapshot.head.file, 0
    else:
        standing = _view(ledger, campaign, settings).standing()
        sheet = snapshot.head.file
        other = ledger.other_pending(campaign.id, snapshot.id)
    return _Shown(
        campaign=campaign,
        sheet=sheet,
        standing=standing,
        is_live=ledger.holding.is_held(campaign.name),
        other_pending=other,
        purged_at=snapshot.purged_at if snapshot else None,
        last=ledger.last_run(campaign.id),
    )


def _calls_alone(ledger: Ledger, campaign: Campaign) -> results.Standing:
    """Count the calls of a campaign whose rows were purged."""
    (states,) = (s.states for s in ledger.states() if s.campaign.id == campaign.id)
    counts = dict.fromkeys(CallStatus, 0)
    for state, count in states.items():
        is_sent = state is CallState.SENDING
        counts[CallStatus.UNCERTAIN if is_sent else CallStatus(state)] += count
    return results.Standing(counts=counts, groups=())


def _show(shown: _Shown, name: str) -> None:
    counts = shown.standing.counts
    words = ", ".join(f"{counts[word]} {word.value}" for word in CallStatus if counts[word])
    state = "running now" if shown.is_live else "unfinished" if shown.is_unfinished else "finished"
    put(one_line(f"{shown.campaign.name}: {state}; {sum(counts.values())} rows: {words or 'none'}"))
    if shown.other_pending:
        put(f"  {shown.other_pending} more calls are pending from sheets it no longer has")
    if shown.sheet:
        put(one_line(f"  sheet {shown.sheet}"))
    if shown.purged_at is not None:
        put(f"  its rows were purged on {shown.purged_at:%Y-%m-%d}; what is left are the calls")
    if shown.last and shown.last.end and shown.last.end.stopped:
        put(one_line(f"  last run stopped: {shown.last.end.stopped}. {shown.last.end.message}"))
    if shown.is_unfinished and counts[CallStatus.PENDING] and not shown.is_live:
        put(one_line(f"  continue with: dispatcher run --campaign {name}"))


def _as_json(ledger: Ledger, shown: list[_Shown]) -> str:
    return json_text.dumps(
        {
            "ledger": ledger.location,
            "campaigns": [
                {
                    "campaign": each.campaign.name,
                    "sheet": each.sheet,
                    "rows": sum(each.standing.counts.values()),
                    "counts": {word.value: n for word, n in each.standing.counts.items()},
                    "unfinished": each.is_unfinished,
                    "live": each.is_live,
                    "other_pending": each.other_pending,
                    "purged_at": each.purged_at.isoformat() if each.purged_at else None,
                    "stopped": each.last.end.stopped if each.last and each.last.end else None,
                }
                for each in shown
            ],
        },
        ensure_ascii=False,
    )
