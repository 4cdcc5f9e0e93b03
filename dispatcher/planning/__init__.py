"""Rows of a sheet become call requests, row problems and skips (pure)."""

from dispatcher.planning.body import body_of
from dispatcher.planning.claims import Claims
from dispatcher.planning.headers import Field, key_columns, wanted_headers
from dispatcher.planning.identity import (
    call_key,
    campaign_name,
    canonical_contact,
    contact_hash,
    request_digest,
)
from dispatcher.planning.layout import Layout, carried_campaigns, lay_out, layout_needs
from dispatcher.planning.rows import claim_carried, plan_rows
from dispatcher.planning.schedule import due_at, past_schedule
from dispatcher.planning.settings import DelayMode, EmptyCells, HiddenRows, PlanSettings
from dispatcher.planning.watch import SheetWatch

__all__ = [
    "Claims",
    "DelayMode",
    "EmptyCells",
    "Field",
    "HiddenRows",
    "Layout",
    "PlanSettings",
    "SheetWatch",
    "body_of",
    "call_key",
    "campaign_name",
    "canonical_contact",
    "carried_campaigns",
    "claim_carried",
    "contact_hash",
    "due_at",
    "key_columns",
    "lay_out",
    "layout_needs",
    "past_schedule",
    "plan_rows",
    "request_digest",
    "wanted_headers",
]
