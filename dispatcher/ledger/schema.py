"""
The tables, and the rules they repeat as constraints.

Times are seconds since the epoch (UTC) as floats. Keys and contact hashes are kept as their 16
bytes, half of what their 32 hex digits would take; both appear in several indexes. So are the
API's ids where they are UUIDs.

A list of more than two words is compared with one by one: for ``IN`` SQLite would build a table
of them at every change of a row, at twice the cost of the change.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    literal_column,
    text,
)

from dispatcher.ledger.call_ids import CallIds
from dispatcher.model import CallState, Purpose, Verdict

SCHEMA_VERSION = 3

metadata = MetaData()


def _one_of(column: str, words: list[str]) -> CheckConstraint:
    return CheckConstraint(" OR ".join(f"{column} = '{word}'" for word in words))


def spelled(value: str | int) -> ColumnElement[str]:
    """
    Return a word or number of our own as it stands in a statement, not as a parameter.

    SQLite prepares a statement anew each time it is run if a parameter of it is compared with
    what a partial index is for, because the value decides whether the index may be used.
    """
    return literal_column(repr(str(value)) if isinstance(value, str) else str(value))


def _text(name: str) -> Column[str]:
    return Column(name, String, nullable=False, server_default="")


facts = Table(
    "ledger",
    metadata,
    Column("id", String, primary_key=True),
    Column("purpose", String, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    _one_of("purpose", list(Purpose)),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("key_columns", String, nullable=False),  # a JSON list
    Column("base_url", String, nullable=False),
    Column("created_at", Double, nullable=False),
    # What the texts of this campaign are compressed against; set by the first recording.
    Column("dictionary", LargeBinary),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("head", String, nullable=False),  # a JSON object
    Column("rows", Integer, nullable=False, server_default="0"),
    Column("complete", Integer, nullable=False, server_default="0"),
    Column("recorded_at", Double, nullable=False),
    _one_of("complete", ["0", "1"]),
)

snapshot_rows = Table(
    "snapshot_rows",
    metadata,
    Column("snapshot_id", ForeignKey("snapshots.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    # No foreign key: checking it from the other side would need one more index over all rows.
    Column("call", Integer),
    Column("request_digest", LargeBinary),
    Column("carried_id", CallIds),
    Column("schedule_at", Double),  # of a request: when it wishes to be placed
    Column("payload", LargeBinary, nullable=False),
    _one_of("kind", ["request", "problem", "skip", "carried"]),
    CheckConstraint(
        "kind <> 'request' OR (call IS NOT NULL AND request_digest IS NOT NULL)",
        name="a_request_has_a_call",
    ),
    CheckConstraint("kind IN ('request', 'carried') OR call IS NULL", name="others_have_none"),
    Index("carried_ids", "carried_id", sqlite_where=text("carried_id IS NOT NULL")),
)

calls = Table(
    "calls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("snapshot_id", Integer, nullable=False),  # the recording that brought it in
    Column("contact", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _text("code"),
    _text("message"),
    Column("http_status", Integer, nullable=False, server_default="0"),
    Column("call_id", CallIds),
    _text("created_at"),
    Column("sent_at", Double),
    Column("due_at", Double),
    _one_of("state", list(CallState)),
    CheckConstraint("length(key) = 16 AND length(contact) = 16", name="hashes_are_whole"),
    CheckConstraint("attempts >= 0", name="attempts_are_counted"),
    CheckConstraint("call_id <> ''", name="no_empty_call_id"),
    CheckConstraint("(state = 'placed') = (call_id IS NOT NULL)", name="placed_has_its_id"),
    CheckConstraint(
        "(state <> 'sending' AND state <> 'placed' AND state <> 'uncertain')"
        " OR (attempts > 0 AND sent_at IS NOT NULL AND due_at IS NOT NULL)",
        name="what_was_sent_has_an_attempt",
    ),
    Index("calls_of_contact", "contact"),
    Index(
        "one_call_at_a_time",
        "contact",
        unique=True,
        sqlite_where=text("state = 'sending'"),
    ),
    Index("call_ids", "call_id", sqlite_where=text("call_id IS NOT NULL")),
    Index("calls_in_doubt", "campaign_id", sqlite_where=text("state = 'uncertain'")),
)

attempts = Table(
    "attempts",
    metadata,
    Column("call", ForeignKey("calls.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double),
    # What was sent, or NULL where it is what this row says; *payload* is what is kept of a row that
    # is recorded no more. No foreign keys: they would need indexes.
    Column("body", LargeBinary),
    Column("snapshot_id", Integer),
    Column("row", Integer),
    Column("payload", LargeBinary),
    Column("request_digest", LargeBinary, nullable=False),
    Column("http_status", Integer, nullable=False, server_default="0"),
    _text("verdict"),
    _text("code"),
    # "" where it is the call's, or there is none.
    Column("call_id", CallIds, nullable=False, server_default=""),
    Column("excerpt", LargeBinary, nullable=False, server_default=text("x''")),
    _one_of("verdict", ["", *Verdict]),
    CheckConstraint("number > 0", name="numbers_from_one"),
    CheckConstraint("(finished_at IS NULL) = (verdict = '')", name="an_end_has_a_verdict"),
    CheckConstraint("body IS NOT NULL OR row IS NOT NULL", name="a_body_is_known"),
    # Its rows are short; an index to find them by would take a quarter as much again.
    sqlite_with_rowid=False,
)

resolutions = Table(
    "resolutions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call", ForeignKey("calls.id"), nullable=False),
    Column("state", String, nullable=False),
    Column("call_id", String),
    Column("user", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("at", Double, nullable=False),
    _one_of("state", [CallState.PLACED, CallState.FAILED]),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("snapshot_id", ForeignKey("snapshots.id"), nullable=False),
    Column("user", String, nullable=False),
    Column("host", String, nullable=False),
    Column("version", String, nullable=False),
    Column("arguments", String, nullable=False),
    Column("settings", String, nullable=False),
    _text("results"),
    Column("started_at", Double, nullable=False),
    _text("stopped"),
    _text("message"),
    Column("finished_at", Double),
)

# One for each holding of a lock that was asked to end; the token is in the lock file.
stop_requests = Table(
    "stop_requests",
    metadata,
    Column("token", String, primary_key=True),
    Column("user", String, nullable=False),
    Column("at", Double, nullable=False),
)

results_files = Table(
    "results_files",
    metadata,
    Column("path", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("campaign", String, nullable=False),
)

slots = Table(
    "slots",
    metadata,
    Column("base_url", String, primary_key=True),
    Column("next_free", Double, nullable=False),
)

# Filled and emptied again, so that the file has room for what a run will write.
reserve = Table(
    "reserve",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("filler", LargeBinary, nullable=False),
)
