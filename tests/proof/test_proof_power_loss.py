"""The power fails between any two commits, and while one is being written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from dispatcher.ledger import DueRules, open_ledger, read_ledger
from dispatcher.ledger import storage as ledger_storage
from dispatcher.ledger.storage import Storage
from dispatcher.model import Purpose
from dispatcher.policy import STOPPING_CODES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.proof.conftest import World, Worlds

SEEDS = max(4, int(os.environ.get("PROOF_SCHEDULES", "5000")) // 100)
SECTOR = 512
FULL_SYNC = 2
RESUMED_SHARE = 0.04
# Before the power fails for good, processes die, are stopped and lose what they wrote, too.
WEATHERS = (
    ("rough", ((40, "kill"),)),
    ("failing", ((25, "abort"),)),
    ("stingy", ((15, "suspend"), (40, "unsure"))),
    ("rough", ((20, "clock"), (50, "stop"))),
)
AGAIN = DueRules(retry_unplaced=True, retry_rejected=True, stopping_codes=STOPPING_CODES)

States = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """
    What is durable at a moment, and what the world outside knows then.

    Attributes:
        database: The file.
        log: The write-ahead log.
        states: key -> state, as the ledger tells.
        rings: Keys of the calls that the API placed.
        leaves: The same, with those on the way to it.
    """

    database: bytes
    log: bytes
    states: States
    rings: frozenset[str]
    leaves: frozenset[str]


def states_of(database: sqlite3.Connection) -> States:
    return {key.hex(): state for key, state in database.execute("SELECT key, state FROM calls")}


def mixed(before: bytes, after: bytes, random: Random) -> bytes:
    """Sectors of both in any mixture: a disk writes them in the order it likes."""
    parts = []
    for start in range(0, max(len(before), len(after)), SECTOR):
        old, new = before[start : start + SECTOR], after[start : start + SECTOR]
        parts.append(random.choice((old.ljust(len(new), b"\0"), new or old)))
    return b"".join(parts)


class Outage:
    """Takes a copy at each commit, and opens what the disk may hold if the power fails there."""

    def __init__(self, world: World, folder: Path, random: Random) -> None:
        self._world = world
        self._folder = folder
        self._random = random
        self._ledger = Path(world.opened.location)
        self.images = 0
        self.checkpoints = 0
        self.some: list[tuple[bytes, bytes, Copy]] = []
        self._last = self._copy()

    def committed(self) -> None:
        """Look at every kind of state between the last commit and this one."""
        before, after = self._last, self._copy()
        self._last = after
        cut = self._random.randint(0, len(after.log))
        torn = after.log[:cut] + before.log[cut:]
        shuffled = mixed(before.log, after.log, self._random)
        self._open(before.database, before.log, (before,), after)
        self._open(after.database, after.log, (after,), after)
        for log in (torn, shuffled):
            self._open(before.database, log, (before, after), after)
        if after.database != before.database:
            self.checkpoints += 1
            half = mixed(before.database, after.database, self._random)
            self._open(half, after.log, (after,), after)

    def _copy(self) -> Copy:
        log = self._ledger.with_name(self._ledger.name + "-wal")
        rings = frozenset(call.key for call in self._world.accepted)
        left = frozenset(key for key, times in self._world.in_air.items() if key and times)
        return Copy(
            database=self._ledger.read_bytes(),
            log=log.read_bytes() if log.exists() else b"",
            states=states_of(self._world._reader),
            rings=rings,
            leaves=rings | left,
        )

    def _open(self, database: bytes, log: bytes, allowed: tuple[Copy, ...], now: Copy) -> None:
        self.images += 1
        if self._random.random() < RESUMED_SHARE:
            self.some.append((database, log, now))
        with closing(sqlite3.connect(put(self._folder, database, log))) as opened:
            found = states_of(opened)
            health = opened.execute("PRAGMA integrity_check").fetchone()
        if health != ("ok",):
            self._world.violated(f"a damaged ledger: {health}")
        if found not in [copy.states for copy in allowed]:
            self._world.violated("a state that never was")
        if any(found[key] in ("pending", "failed", "rejected") for key in now.rings):
            self._world.violated("a call that was sent counts as never sent")


def put(folder: Path, database: bytes, log: bytes) -> Path:
    """Write what a disk holds; what SQLite keeps in memory is gone."""
    image = folder / "image.db"
    for leftover in folder.glob("image.db*"):
        leftover.unlink()
    image.write_bytes(database)
    image.with_name("image.db-wal").write_bytes(log)
    return image


def resumed(worlds: Worlds, image: Path, now: Copy) -> None:
    """Let the machine come back with this disk, and run both campaigns to their end."""
    world = worlds(str(image), place="later", image=image)
    # As the commands do: they check it whole and refuse what is damaged.
    reader = read_ledger(world.opened.location)
    assert reader is not None
    with reader, open_ledger(world.opened.location, purpose=Purpose.REAL, create=False) as ledger:
        assert ledger.id == reader.id
    for campaign in ("mora", "otra"):
        world.run(world.process(campaign))
    rung = [call.key for call in world.accepted]
    assert len(rung) == len(set(rung))
    assert not now.leaves & set(rung), "one call was sent twice"
    assert world.violations == []


def ruined(
    world_of: Worlds, folder: Path, monkeypatch: pytest.MonkeyPatch, *, seed: int, pages: int
) -> Outage:
    """Play a schedule under an outage at each commit; *pages* in the log make a checkpoint."""
    checkpoint = f"PRAGMA wal_autocheckpoint = {pages}"
    monkeypatch.setattr(ledger_storage, "PRAGMAS", (*ledger_storage.PRAGMAS, checkpoint))
    world = world_of(seed)
    random = Random(seed)
    outage = Outage(world, folder, random)
    writing = Storage.writing

    @contextmanager
    def watched(storage: Storage) -> Iterator[Connection]:
        with writing(storage) as connection:
            yield connection
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == FULL_SYNC
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        if str(storage.file) == world.opened.location:
            outage.committed()

    monkeypatch.setattr(Storage, "writing", watched)
    for weather, fates in WEATHERS:
        world.weather = weather
        world.run(world.process("mora", *fates), world.process("otra"), apart=0.2)
    for campaign in ("mora", "otra", "mora", "otra"):
        world.run(world.process(campaign, rules=AGAIN))
    assert world.violations == []
    return outage


def proven(world_of: Worlds, memory: Path, *, seed: int, pages: int) -> Outage:
    with pytest.MonkeyPatch.context() as patches:
        outage = ruined(world_of, memory, patches, seed=seed, pages=pages)
    for database, log, now in outage.some:
        resumed(world_of, put(memory, database, log), now)
    return outage


@pytest.mark.parametrize("pages", [1000, 12], ids=["one-log", "many-checkpoints"])
def test_after_a_power_loss_no_state_went_back_and_nothing_sent_is_pending(
    world_of: Worlds, memory: Path, tell: Callable[..., None], pages: int
) -> None:
    outage = proven(world_of, memory, seed=pages, pages=pages)

    assert outage.images > 100
    assert len(outage.some) > 0
    assert outage.checkpoints > 3 or pages == 1000
    tell("power loss", states_of_the_disk=outage.images, resumed=len(outage.some))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_power_losses(world_of: Worlds, memory: Path, tell: Callable[..., None]) -> None:
    for seed in range(SEEDS):
        outage = proven(world_of, memory, seed=seed, pages=(1000, 12, 3)[seed % 3])
        tell("power loss", states_of_the_disk=outage.images, resumed=len(outage.some))
