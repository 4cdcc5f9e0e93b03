"""Whether text decoded as Windows-1252 looks like words of a language written in it."""

# ruff: noqa: RUF001, RUF003 - the characters that look like others are what is looked for
from __future__ import annotations

import re

_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 30

_WORD = re.compile(r"[^\s,;|\"]*[^\x00-\x7f\s][^\s,;|\"]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f\x7f]")

_UPPER = "À-ÖØ-ÞŠŒŽŸ"
_LOWER = "ß-öø-ÿšœž"
_LETTER = f"A-Za-z{_UPPER}{_LOWER}"
# Each of these is what one of the neighbours of Windows-1252 turns into when it is taken for it.
_ODD = re.compile(
    "|".join(
        (
            f"[{_UPPER}{_LOWER}]{{3}}",  # Greek, Cyrillic, Hebrew, Arabic, Thai
            "[¡-ÿ]{4}",  # Chinese, Korean
            "[¤ƒ]",  # ISO 8859-15 has the euro there; Japanese
            f"[{_LETTER}][¡¢£¥¿‚„†‡ˆ˜]",  # DOS: Jos‚, Le¢n, Mar¡a, MU¥OZ; Macintosh: Bogot‡
            f"[{_LETTER}][¦§¨©«¬®¯±²³¶¸¹»¼½¾×÷‰‹›™•€“”][{_LETTER}]",  # Central Europe: Paw³a
            "[a-z][ªº][a-z]",  # Romanian: Timiºoara
            f"[a-z{_LOWER}][{_UPPER}]",  # Macintosh: JosŽ
            f"[A-Z][{_UPPER}][a-z]",  # Macintosh: PŽrez
            "[a-z][–—][a-z]",  # Macintosh: Le—n, Mu–oz
            "ø[áéíýì]|[ùìèò][šž]",  # Czech: Jiøí, Rùžena
            "œ(?![eiuEIU])",  # Macintosh: Raœl; French has œ before a vowel
            "[ÐÞÝðþý]",  # Turkish and Icelandic differ in these six alone
            "[ÂÃ][\u0080-¿‚-‡ˆ‰‹›˜™•€“”‘’–—ŠŒŽšœžŸ]|â€",  # UTF-8
        )
    )
)


class WesternGuess:
    """
    Counts the words beyond ASCII of a text, and those that no language would have.

    The guess stands while at most one such word in ten is odd: real lists hold a few.
    """

    def __init__(self) -> None:
        self._words = 0
        self._odd = 0
        self._examples: dict[str, None] = {}
        self._odd_examples: dict[str, None] = {}

    def take(self, text: str) -> None:
        """See the next piece of the text."""
        self._odd += len(_CONTROL.findall(text))
        for found in _WORD.finditer(text):
            word = found.group()
            self._words += 1
            if _ODD.search(word):
                self._odd += 1
                _note(self._odd_examples, word)
            elif len(self._examples) < _EXAMPLES:
                _note(self._examples, word)

    def is_plausible(self) -> bool:
        """Say whether the text seen so far looks like Windows-1252."""
        return self._odd * 10 <= self._words

    def examples(self) -> str:
        """Show some of the words, the odd ones first where the guess fails."""
        kept = self._examples if self.is_plausible() else self._odd_examples or self._examples
        return ", ".join(f'"{word}"' for word in kept)


def _note(kept: dict[str, None], word: str) -> None:
    if len(kept) < _EXAMPLES:
        shown = (each if each.isprintable() else "\ufffd" for each in word[:_EXAMPLE_CHARACTERS])
        kept["".join(shown)] = None
