"""Writes result rows to CSV or a workbook, atomically and never over what is not ours."""

from dispatcher.writer.place import (
    TableFormat,
    Target,
    Written,
    choose_target,
    default_results_path,
    probe_folder,
    target_for,
)
from dispatcher.writer.table import write_results, write_table

__all__ = [
    "TableFormat",
    "Target",
    "Written",
    "choose_target",
    "default_results_path",
    "probe_folder",
    "target_for",
    "write_results",
    "write_table",
]
