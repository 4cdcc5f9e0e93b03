"""Reads answers out of the bytes of one connection."""

from __future__ import annotations

import httptools
import httpx

from dispatcher.client.lengths import with_one_length

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
        self._parser = self._new_parser()
        self.begin()

    def begin(self) -> None:
        """Expect another answer."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.may_stay = False
        self._body: list[bytes] = []
        self._framing = 0
        self._head = b""
        self._lacks_a_length = False
        self._is_doubtful = False

    def feed(self, piece: bytes) -> None:
        """
        Read on.

        Raises:
            httpx.RemoteProtocolError: This is no answer; what came of one before stands.
        """
        self._framing += len(piece)
        if not self.status:
            self._head += piece
        try:
            self._parse(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.may_stay = False
            if not self.is_complete:
                raise httpx.RemoteProtocolError("not HTTP") from None
        if self._framing > _MOST_FRAMING:
            raise httpx.RemoteProtocolError("endless")
        if self.is_complete and self._is_doubtful:
            self.is_complete = self.may_stay = False
            raise httpx.RemoteProtocolError("its length is in doubt")

    def end(self) -> None:
        """Take note that nothing more will come, which is how some answers end."""
        names = {name.lower() for name, _ in self.headers}
        if self.status and names.isdisjoint(_SAY_WHERE_IT_ENDS) and not self._is_doubtful:
            self.is_complete = True

    def take(self) -> bytes:
        """Return what came of the body since this was last asked."""
        taken = b"".join(self._body)
        self._body.clear()
        return taken

    def _new_parser(self) -> httptools.HttpResponseParser:
        parser = httptools.HttpResponseParser(self)
        # Generous, as browsers are: an answer that is not understood is a call id lost.
        parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_keep_alive=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        return parser

    def _parse(self, piece: bytes) -> None:
        if not self._lacks_a_length:
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserError as fault:
                if self.status or "Content-Length" not in str(fault):
                    raise
                self._lacks_a_length = True
        if self._lacks_a_length and (mended := with_one_length(self._head)) is not None:
            self._lacks_a_length = False
            self._is_doubtful = not mended[1]
            self.headers.clear()
            self._parser = self._new_parser()
            self._parser.feed_data(mended[0])

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
