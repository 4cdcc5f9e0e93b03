"""Intent before byte: when the first byte of a request arrives, its call is marked on disk."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import pytest

from dispatcher.cli.app import run_app
from dispatcher.model import Mark, Outcome, Withdrawal
from dispatcher.pool import workers
from dispatcher.pool.recorder import Changed, Recorder

PEOPLE = 24
ANSWER = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"


class Witness:
    """
    A server that looks into the ledger file as soon as a request's first byte is there.

    Attributes:
        unmarked: Rows whose request came although no call of theirs was marked.
        seen: How many requests came.
    """

    def __init__(self, ledger: Path) -> None:
        self.unmarked: list[str] = []
        self.seen = 0
        self._ledger = ledger
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            yield
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            accepting.join()

    def _accept(self) -> None:
        talks = []
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            talks.append(threading.Thread(target=self._talk, args=(connection,)))
            talks[-1].start()
        for talk in talks:
            talk.join()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while connection.recv(1, socket.MSG_PEEK):
                marked = self._marked()
                self._answer(connection, stream.readline, stream.read, marked)

    def _marked(self) -> set[str]:
        with closing(sqlite3.connect(f"file:{self._ledger}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT key FROM calls WHERE state = 'sending'")
            return {key.hex() for (key,) in found}

    def _answer(
        self,
        connection: socket.socket,
        readline: Callable[[], bytes],
        read: Callable[[int], bytes],
        marked: set[str],
    ) -> None:
        length = 0
        while (line := readline().lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        asked = json.loads(read(length))
        with self._lock:
            self.seen += 1
            if asked["metadata"]["dispatch_key"] not in marked:
                self.unmarked.append(asked["metadata"]["dispatch_row"])
            body = json.dumps({"call_id": f"call-{self.seen}"}).encode()
        connection.sendall(ANSWER % (len(body), body))


class MarksAfterwards(Recorder):
    """The mutant: it says that a call is marked, and marks it when the answer is there."""

    def __enter__(self) -> Self:
        self._kept: dict[str, Mark] = {}
        return super().__enter__()

    def change(self, change: Mark | Outcome | Withdrawal) -> asyncio.Future[Changed]:
        if isinstance(change, Mark):
            self._kept[change.key] = change
            said: asyncio.Future[Changed] = self._loop.create_future()
            said.set_result(1)
            return said
        marked = super().change(self._kept.pop(change.key))
        return asyncio.ensure_future(self._once(marked, change))

    async def _once(self, marked: asyncio.Future[Changed], change: Outcome | Withdrawal) -> Changed:
        await marked
        return await super().change(change)


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    monkeypatch.chdir(tmp_path)
    witness = Witness(tmp_path / "ledger.db")
    monkeypatch.setenv("CONTACTSHIP_API_KEY", "key")
    monkeypatch.setenv("CONTACTSHIP_BASE_URL", witness.url)
    monkeypatch.setenv("DISPATCHER_LEDGER", "ledger.db")
    with Path("campaign.csv").open("w", encoding="utf-8") as sheet:
        sheet.write("contact_id,agent_id,from_number_id\n")
        sheet.writelines(f"person-{n},agent,number\n" for n in range(PEOPLE))
    with witness.serving():
        yield witness


RUN = ["run", "campaign.csv", "--yes", "--quiet", "--workers", "6", "--rate", "unlimited"]


def test_every_call_is_marked_on_disk_when_its_first_byte_arrives(witness: Witness) -> None:
    status = run_app(RUN)

    assert (status, witness.seen) == (0, PEOPLE)
    assert witness.unmarked == []


def test_the_witness_notices_calls_that_are_marked_after_they_were_sent(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "Recorder", MarksAfterwards)

    status = run_app(RUN)

    assert (status, witness.seen) == (0, PEOPLE)
    assert len(witness.unmarked) == PEOPLE
