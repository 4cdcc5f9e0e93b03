"""Bulk call dispatcher: calls everyone on a spreadsheet, once."""

__version__ = "0.1.0"
