"""The API key, kept out of every text."""

from __future__ import annotations

from dispatcher.errors import UsageProblem

_FIRST_VISIBLE, _LAST_VISIBLE = "!", "~"
_SHORTEST_TO_HIDE = 8  # replacing a shorter text could damage an answer
_SHOWN = "[key]"


class ApiKey:
    """
    Holds the key; neither its repr nor an error ever shows it.

    Raises:
        UsageProblem: The key is empty or cannot stand in a header.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text or not all(_FIRST_VISIBLE <= letter <= _LAST_VISIBLE for letter in text):
            raise UsageProblem(
                "the API key is empty, or holds white space or a character that no key has",
                hint="set CONTACTSHIP_API_KEY again; copying often adds a space, quote or newline",
            )
        self._text = text

    def __repr__(self) -> str:
        return "ApiKey()"

    def header(self) -> bytes:
        """The header's value."""
        return self._text.encode("ascii")

    def hidden_in(self, body: bytes) -> bytes:
        """*body* without the key, should a server repeat it."""
        if len(self._text) < _SHORTEST_TO_HIDE:
            return body
        return body.replace(self.header(), _SHOWN.encode("ascii"))

    def hidden_in_text(self, text: str) -> str:
        """*text* without the key."""
        if len(self._text) < _SHORTEST_TO_HIDE:
            return text
        return text.replace(self._text, _SHOWN)
