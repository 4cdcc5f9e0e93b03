"""
The durable record of every campaign (SQLAlchemy Core; SQLite).

A call is marked, committed and synced before the first byte of its request leaves; only a process
that holds the campaign's kernel lock judges what a dead one left behind.
"""

from dispatcher.ledger.ledger import Ledger
from dispatcher.ledger.opening import open_ledger, read_ledger
from dispatcher.ledger.values import (
    CampaignStates,
    DueRules,
    KnownCall,
    KnownRun,
    Prospect,
    PurgeBar,
    PurgeProspect,
    RecordedOutcome,
    TracedCall,
    UncertainCall,
    WrittenResults,
)

__all__ = [
    "CampaignStates",
    "DueRules",
    "KnownCall",
    "KnownRun",
    "Ledger",
    "Prospect",
    "PurgeBar",
    "PurgeProspect",
    "RecordedOutcome",
    "TracedCall",
    "UncertainCall",
    "WrittenResults",
    "open_ledger",
    "read_ledger",
]
