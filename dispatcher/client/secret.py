"""The API key, kept out of every text."""

from __future__ import annotations

import dataclasses

from dispatcher.errors import UsageProblem
from dispatcher.model import Reply

_FIRST_VISIBLE, _LAST_VISIBLE = "!", "~"
_SHORTEST_TO_HIDE = 8  # replacing a shorter text could damage an answer
_SHOWN = "[key]"


class ApiKey:
    """
    Holds the key; neither its repr nor an error ever shows it.

    Raises:
        UsageProblem: The key is empty or cannot stand in a header.
    """

    __slots__ = ("_bytes", "_text")

    def __init__(self, text: str) -> None:
        if not text or not all(_FIRST_VISIBLE <= letter <= _LAST_VISIBLE for letter in text):
            raise UsageProblem(
                "the API key is empty, or holds white space or a character that no key has",
                hint="set CONTACTSHIP_API_KEY again; copying often adds a space, quote or newline",
            )
        self._text = text
        self._bytes = text.encode("ascii")

    def __repr__(self) -> str:
        return "ApiKey()"

    def header(self) -> bytes:
        """The header's value."""
        return self._bytes

    def hidden_in(self, reply: Reply) -> Reply:
        """*reply* without the key, should a server repeat it."""
        if len(self._text) < _SHORTEST_TO_HIDE or not self._is_in(reply):
            return reply
        hide = self._hidden
        return dataclasses.replace(
            reply,
            body=reply.body.replace(self._bytes, _SHOWN.encode("ascii")),
            content_type=hide(reply.content_type),
            retry_after=hide(reply.retry_after),
            limit=hide(reply.limit),
            remaining=hide(reply.remaining),
            reset=hide(reply.reset),
        )

    def _is_in(self, reply: Reply) -> bool:
        texts = (reply.content_type, reply.retry_after, reply.limit, reply.remaining, reply.reset)
        return self._bytes in reply.body or self._text in "\n".join(texts)

    def _hidden(self, text: str) -> str:
        return text.replace(self._text, _SHOWN)
