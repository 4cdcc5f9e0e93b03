"""Call ids that the ledger cannot take: shown, kept in an emergency file, and taken in later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dispatcher.cli.live import Lived
from dispatcher.cli.terminal import counted, one_line, say
from dispatcher.config import home_folder
from dispatcher.errors import StorageFailed
from dispatcher.ledger import (
    EmergencyEntry,
    EmergencyFile,
    Ledger,
    emergency_files,
    read_emergency,
    set_aside,
)
from dispatcher.model import Campaign, RunEnd, StopWord
from dispatcher.pool import Unrecorded


class Rescue:
    """
    Keeps what the ledger cannot take, at the moment it cannot.

    Args:
        ledger: The ledger.
        campaign: The campaign.
        results: Where the results go; the emergency file lies beside them, else at home.

    Attributes:
        unrecorded: All that was placed and not recorded.
    """

    def __init__(self, ledger: Ledger, campaign: Campaign, *, results: Path) -> None:
        self._file = EmergencyFile(_folders(results), ledger_id=ledger.id, campaign=campaign.name)
        self.unrecorded: list[Unrecorded] = []
        self._kept: dict[Path, int] = {}
        self._lost = 0

    def keep(self, unrecorded: Unrecorded) -> None:
        """Show the id of a placed call, and write it to the emergency file."""
        outcome = unrecorded.outcome
        if not outcome.call_id:
            return
        self.unrecorded.append(unrecorded)
        say(one_line(f"NOT RECORDED: row {unrecorded.row} was placed: {outcome.call_id}"))
        path = self._file.add(
            EmergencyEntry(
                row=unrecorded.row,
                key=outcome.key,
                attempt=outcome.attempt,
                call_id=outcome.call_id,
                at=outcome.at,
                http_status=outcome.http_status,
                created_at=outcome.created_at,
            )
        )
        if path is None:
            self._lost += 1
        else:
            self._kept[path] = self._kept.get(path, 0) + 1

    def tell(self) -> None:
        """Say where the ids are."""
        for path, count in self._kept.items():
            say(one_line(f"Kept in {path}: {counted(count, 'call id')}; the next run takes it in."))
        if self._lost:
            ids = counted(self._lost, "call id")
            say(f"{ids} could be kept nowhere: write down what is said above.")


def take_in(ledger: Ledger, campaign: Campaign, *, results: Path | None = None) -> tuple[Path, ...]:
    """
    Let the ledger take in what earlier runs of the campaign could not record.

    Args:
        ledger: Open for writing.
        campaign: Held by this process.
        results: Where the results go now; the places of earlier runs are looked at anyway.

    Returns:
        The files that cannot be read; the calls in them stay uncertain until they can.

    Raises:
        StorageFailed: the ledger cannot be written.
    """
    places = ledger.emergencies.places(campaign.id) + ((results,) if results else ())
    folders = dict.fromkeys(folder for place in places for folder in _folders(place))
    unread = []
    for path in emergency_files(folders, ledger_id=ledger.id, campaign=campaign.name):
        try:
            entries = read_emergency(path, ledger_id=ledger.id, campaign=campaign.name)
        except OSError as error:
            unread.append(path)
            say(one_line(f"{path} holds ids of placed calls and cannot be read: {error.strerror}."))
            say("  Make it readable and run again: the next run takes it in.")
        else:
            _take_in(ledger, campaign, path, entries)
    return tuple(unread)


def ended(ledger: Ledger, run_id: int, lived: Lived, finished_at: datetime) -> Lived:
    """Record how a run ended; a ledger that cannot take that has failed too."""
    done = lived.dispatched
    if done.stopped is StopWord.LEDGER_FAILED:
        return lived
    end = RunEnd(stopped=done.stopped, message=done.message, finished_at=finished_at)
    try:
        ledger.end_run(run_id, end)
    except StorageFailed as fault:
        failed = replace(done, stopped=StopWord.LEDGER_FAILED, message=fault.message)
        return replace(lived, dispatched=failed)
    return lived


def _take_in(
    ledger: Ledger, campaign: Campaign, path: Path, entries: Sequence[EmergencyEntry]
) -> None:
    unknown = ledger.emergencies.take_in(campaign.id, entries)
    say(one_line(f"Taken in from {path}: {counted(len(entries) - len(unknown), 'placed call')}."))
    for entry in unknown:
        say(one_line(f"  left there: {entry.call_id} (row {entry.row}), of no call known here"))
    if not unknown:
        set_aside(path)


def _folders(results: Path) -> tuple[Path, ...]:
    home = home_folder()
    return (results.parent,) if home is None else (results.parent, home)
