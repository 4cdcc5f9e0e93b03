"""Takes the API key from the environment without ever showing it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dispatcher.errors import UsageProblem

KEY_VARIABLE = "CONTACTSHIP_API_KEY"
KEY_FILE_VARIABLE = "CONTACTSHIP_API_KEY_FILE"

_LONGEST = 4096


class ApiKey:
    """The key; whatever prints, logs or compares it sees nothing. Only ``reveal`` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "ApiKey(...)"

    def __reduce__(self) -> str:
        raise TypeError("an API key is not pickled")

    def reveal(self) -> str:
        """Return the key itself, for the one header it goes into."""
        return self._text


def read_api_key(environment: Mapping[str, str]) -> ApiKey:
    """
    Return the key from CONTACTSHIP_API_KEY, else from the file CONTACTSHIP_API_KEY_FILE names.

    White space around it and a byte order mark are not part of it.

    Raises:
        UsageProblem: none given, empty, or nothing that can be a header value; never quotes it.
    """
    named = environment.get(KEY_VARIABLE, "")
    file = environment.get(KEY_FILE_VARIABLE, "").strip()
    if named.strip():
        return ApiKey(_checked(named, KEY_VARIABLE))
    if file:
        return ApiKey(_checked(_read(Path(file)), f"The file of {KEY_FILE_VARIABLE}"))
    what = "is empty" if KEY_VARIABLE in environment else "is not set"
    raise UsageProblem(
        f"{KEY_VARIABLE} {what}",
        hint=f"set it to your ContactShip API key, or {KEY_FILE_VARIABLE} to a file that holds it",
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST + 1).decode("utf-8-sig")
    except OSError as error:
        raise UsageProblem(
            f"{KEY_FILE_VARIABLE} names {path}, which cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError:
        # Without the cause: it would carry the file's bytes into a traceback.
        raise UsageProblem(f"The file of {KEY_FILE_VARIABLE} is not plain text") from None


def _checked(text: str, where: str) -> str:
    key = text.strip().removeprefix("\ufeff").strip()
    if not key:
        raise UsageProblem(f"{where} is empty")
    if len(key) > _LONGEST:
        raise UsageProblem(f"{where} is too long for an API key")
    if "\n" in key or "\r" in key:
        raise UsageProblem(f"{where} holds more than one line; it must hold the key alone")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageProblem(f"{where} holds characters that no API key has; copy the key again")
    return key
