"""
Expected endings of a command, each with its exit status.

A call that did not work is an outcome and a row that makes no sense is a row problem; neither is
an exception. These are for what ends the whole command::

    DispatcherError            1
    ├── UsageProblem           2   bad option, configuration or key; nothing was sent
    ├── SheetRefused           3   the sheet cannot be read as a campaign; nothing was sent
    ├── LookUpFailed           6   the API did not answer a look-up as documented
    ├── CampaignHeld           7   another run holds this campaign
    ├── StorageFailed          8   the ledger or the results could not be written
    ├── Declined             130   the person answered "no"
    ├── Interrupted          130   Ctrl-C while no call was in flight
    └── Terminated           143   the same by another signal

Only ``cli`` catches the base class, prints ``message`` as one line and ``hint`` as a second one.
Neither ever holds the API key or personal data beyond a file, row or column name.
"""

from __future__ import annotations


class DispatcherError(Exception):
    """
    Base of every expected ending.

    Attributes:
        message: One line that names the file, row, column or key concerned.
        hint: One line that says what to do, or "".
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageProblem(DispatcherError):
    """An option, the configuration or the key is not right."""

    exit_code = 2


class SheetRefused(DispatcherError):
    """The sheet cannot be read exactly, or not as a campaign."""

    exit_code = 3


class LookUpFailed(DispatcherError):
    """The API did not answer a look-up as documented."""

    exit_code = 6


class CampaignHeld(DispatcherError):
    """Another process holds the campaign's lock."""

    exit_code = 7


class StorageFailed(DispatcherError):
    """The ledger or the results sheet could not be read or written."""

    exit_code = 8


class Declined(DispatcherError):
    """A person was asked and said no."""

    exit_code = 130


class Interrupted(DispatcherError):
    """Ctrl-C came while no call was in flight."""

    exit_code = 130


class Terminated(DispatcherError):
    """A signal to end or to hang up came while no call was in flight."""

    exit_code = 143
