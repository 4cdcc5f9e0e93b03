"""Turns a snapshot's rows and outcomes into result rows, counts and the words of a run's end."""

from dispatcher.report.ending import RunFacts, RunJson, run_json, summary_lines, summary_pairs
from dispatcher.report.result import RESULT_COLUMNS, headers_of, line_of, result_of
from dispatcher.report.totals import CodeGroup, Totals, count, exit_status, this_run_counts

__all__ = [
    "RESULT_COLUMNS",
    "CodeGroup",
    "RunFacts",
    "RunJson",
    "Totals",
    "count",
    "exit_status",
    "headers_of",
    "line_of",
    "result_of",
    "run_json",
    "summary_lines",
    "summary_pairs",
    "this_run_counts",
]
