"""Writes result rows to CSV or a workbook, atomically and never over what is not ours."""

from dispatcher.writer.place import (
    TableFormat,
    Target,
    Written,
    choose_target,
    default_results_path,
    digest_of,
    probe_folder,
    target_for,
)
from dispatcher.writer.table import make_ready, write_results, write_table

__all__ = [
    "TableFormat",
    "Target",
    "Written",
    "choose_target",
    "default_results_path",
    "digest_of",
    "make_ready",
    "probe_folder",
    "target_for",
    "write_results",
    "write_table",
]
