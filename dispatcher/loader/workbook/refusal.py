"""The ways a workbook is refused, each in one plain line with its remedy."""

from __future__ import annotations

from dispatcher.errors import SheetRefused

SAVE_AGAIN = "open it in Excel or LibreOffice and save it again as .xlsx"
GET_AGAIN = "download or copy it again, or open it in Excel and save it again as .xlsx"


def damaged(file: str, what: str) -> SheetRefused:
    """Return the refusal of a file that is broken or cut off; *what* says where."""
    return SheetRefused(f"{file}: damaged workbook: {what}", hint=GET_AGAIN)


def unreadable(file: str, what: str) -> SheetRefused:
    """Return the refusal of a workbook that says something no reader may guess at."""
    return SheetRefused(f"{file}: {what}", hint=SAVE_AGAIN)


def unsafe(file: str, what: str) -> SheetRefused:
    """Return the refusal of a file that is built to harm its reader, or looks so."""
    return SheetRefused(
        f"{file}: refused as unsafe: {what}",
        hint="copy the rows into a new workbook, save it as .xlsx and use that",
    )


def protected(file: str) -> SheetRefused:
    """Return the refusal of an encrypted file."""
    return SheetRefused(f"{file}: password-protected", hint="save a copy without a password")
