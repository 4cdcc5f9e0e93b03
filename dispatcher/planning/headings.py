"""The header row of one sheet: finding a column by name, naming it in a message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.planning.headers import fold

_SHOWN_HEADERS = 20
_SHOWN_LETTERS = 40


class Headings:
    """
    The headers of a sheet, compared as ``fold`` says.

    Attributes:
        texts: Header texts as they stand.
        folded: The same, folded.
    """

    def __init__(self, headers: tuple[str, ...]) -> None:
        self.texts = headers
        self.folded = tuple(fold(header) for header in headers)
        self._places: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(self.folded):
            self._places[text].append(index)

    def column(self, header: str, setting: str) -> int:
        """
        The one column named *header* by *setting*.

        Raises UsageProblem where there is none, SheetRefused where there are several.
        """
        places = self._places.get(fold(header), []) if fold(header) else []
        if not places:
            raise UsageProblem(
                f'{setting} names "{shown(header)}", and the sheet has no such header',
                hint=self.found(),
            )
        self.refuse_twins(places[:1])
        return places[0]

    def refuse_twins(self, used: Iterable[int]) -> None:
        """Raise SheetRefused where a column in *used* shares its header with another."""
        for index in used:
            twins = self._places[self.folded[index]]
            if len(twins) > 1:
                raise SheetRefused(
                    f"Two columns have the same header: {self.names(twins)}",
                    hint="rename one, or leave both out: additional_data.exclude, or --map "
                    "FIELD=HEADER where a field should come from another column",
                )

    def name(self, index: int) -> str:
        """A column as a person finds it: ``column C "Monto"``, ``column C`` without a header."""
        text = shown(self.texts[index])
        return f'column {_letters(index)} "{text}"' if text else f"column {_letters(index)}"

    def names(self, indices: Iterable[int]) -> str:
        """Several columns, each as ``name`` has it."""
        return ", ".join(self.name(index) for index in indices)

    def found(self) -> str:
        """The headers of the sheet, for a hint."""
        texts = [
            shown(text) for text, folded in zip(self.texts, self.folded, strict=True) if folded
        ]
        rest = len(texts) - _SHOWN_HEADERS
        more = f" and {rest} more" if rest > 0 else ""
        return f"the headers found are: {', '.join(texts[:_SHOWN_HEADERS]) or 'none'}{more}"


def shown(header: str) -> str:
    """A header fit for one line of a message: printable, short."""
    text = " ".join("".join(c if c.isprintable() else " " for c in header).split())
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}..."


def _letters(index: int) -> str:
    """Excel's letters for a column index from 0."""
    text, index = "", index + 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
