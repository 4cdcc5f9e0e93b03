"""Words for a person: messages on stderr, data on stdout, and questions."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from typing import TextIO

from dispatcher.errors import DispatcherError

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Return *text* with whatever could steer a terminal made visible; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or _is_harmless(c) else _shown(c) for c in text)


def one_line(text: str) -> str:
    """Return *text* fit for one line of a terminal or log."""
    return plain(text.replace("\r", " ").replace("\n", " "))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 call``, ``3 calls``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def say(text: str = "") -> None:
    """Write a line to stderr; a pipe that is gone is no reason to stop."""
    _write(sys.stderr, plain(text))


def put(text: str) -> None:
    """Write a line for a person to stdout; a pipe that is gone is no reason to stop."""
    _write(sys.stdout, plain(text))


def put_json(text: str) -> None:
    """
    Write a JSON value to stdout; a pipe that is gone is no reason to stop, but is said.

    It says exactly what was given; what could steer a terminal stands as JSON's own escape.
    """
    if not _write(sys.stdout, text if text.isprintable() else "".join(map(_json_shown, text))):
        say("The JSON could not be written to stdout.")


def say_error(error: DispatcherError) -> None:
    """Say why the command ends, and what to do."""
    say(f"dispatcher: {one_line(error.message)}")
    if error.hint:
        say(f"  {one_line(error.hint)}")


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask on the terminal; only a clear yes is one. End of input is a no."""
    sys.stderr.write(f"{plain(question)} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().casefold()
    return answer in ("y", "yes", "s", "si", "sí", "sim")


def open_what_is_closed() -> None:
    """
    Let nothing stand in for a standard stream that is closed (``2>&-``).

    Else the next file that is opened gets its number, and what is meant for a person goes there.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            _let_go(number)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _write(stream: TextIO, text: str) -> bool:
    """Write a line; False where it goes nowhere, as all that follows."""
    try:
        stream.write(_encodable(text, stream.encoding or "utf-8") + "\n")
        stream.flush()
    except OSError:  # a pipe without a reader, a terminal that is gone, a full disk
        _let_go(stream.fileno())
        return False
    return True


def _encodable(text: str, encoding: str) -> str:
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _let_go(number: int) -> None:
    """Lead a stream nowhere: whatever is written at exit must not fail again."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def _is_harmless(character: str) -> bool:
    return character.isprintable() and character not in _BIDI


def _json_shown(character: str) -> str:
    if _is_harmless(character) or unicodedata.category(character) == "Zs":
        return character
    return json.dumps(character)[1:-1]


def _shown(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")
