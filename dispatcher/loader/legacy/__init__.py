"""XLS, XLSB and ODS workbooks -> rows, by calamine in a process of its own."""

from dispatcher.loader.legacy.opening import open_legacy

__all__ = ["open_legacy"]
