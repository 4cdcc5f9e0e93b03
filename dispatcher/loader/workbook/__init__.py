"""XLSX and XLSM workbooks -> rows, by a stream over the XML of the sheet."""

from dispatcher.loader.workbook.opening import open_workbook

__all__ = ["open_workbook"]
