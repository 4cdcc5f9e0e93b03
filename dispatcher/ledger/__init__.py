"""
The durable record of every campaign (SQLAlchemy Core; SQLite).

A call is marked, committed and synced before the first byte of its request leaves; only a process
that holds the campaign's kernel lock judges what a dead one left behind.
"""

from dispatcher.ledger.due import DueCalls
from dispatcher.ledger.emergency import (
    EmergencyEntry,
    EmergencyFile,
    emergency_files,
    read_emergency,
    set_aside,
)
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
    "DueCalls",
    "DueRules",
    "EmergencyEntry",
    "EmergencyFile",
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
    "emergency_files",
    "open_ledger",
    "read_emergency",
    "read_ledger",
    "set_aside",
]
