"""Reads answers out of the bytes of one connection."""

from __future__ import annotations

import httptools
import httpx

_FIRST_FINAL_STATUS = 200
_MOST_FRAMING = 2**20  # bytes of head, interim answers, chunk sizes and trailers
_SAY_WHERE_IT_ENDS = frozenset((b"content-length", b"transfer-encoding"))


class AnswerReader:
    """
    Reads one answer after another, however its bytes are split; interim ones are passed over.

    Attributes:
        status: Of the final answer, 0 until its head has come.
        headers: Names and values of that head.
        is_complete: The whole answer has come.
        may_stay: Nothing speaks against another request on the connection.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        # Generous, as browsers are: an answer that is not understood is a call id lost.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_keep_alive=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self.begin()

    def begin(self) -> None:
        """Expect another answer."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.may_stay = False
        self._body: list[bytes] = []
        self._framing = 0

    def feed(self, piece: bytes) -> None:
        """
        Read on.

        Raises:
            httpx.RemoteProtocolError: This is no answer; what came of one before stands.
        """
        self._framing += len(piece)
        try:
            self._parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.may_stay = False
            if not self.is_complete:
                raise httpx.RemoteProtocolError("not HTTP") from None
        if self._framing > _MOST_FRAMING:
            raise httpx.RemoteProtocolError("endless")

    def end(self) -> None:
        """Take note that nothing more will come, which is how some answers end."""
        names = {name.lower() for name, _ in self.headers}
        if self.status and names.isdisjoint(_SAY_WHERE_IT_ENDS):
            self.is_complete = True

    def take(self) -> bytes:
        """Return what came of the body since this was last asked."""
        taken = b"".join(self._body)
        self._body.clear()
        return taken

    def on_message_begin(self) -> None:
        """Notice an answer that nobody asked for."""
        if self.is_complete:
            self.may_stay = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one after the head is a trailer."""
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take note of the final answer's head; forget an interim one's."""
        status = self._parser.get_status_code()
        if self.status:
            return
        if status < _FIRST_FINAL_STATUS:
            self.headers.clear()
            return
        self.status = status
        self.may_stay = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        if self.status and not self.is_complete:
            self._body.append(piece)
            self._framing -= len(piece)

    def on_message_complete(self) -> None:
        """Take note of the end; an interim answer's is none."""
        self.is_complete = self.status > 0
