"""Characters that XML cannot hold and Excel writes as ``_x000D_`` (ECMA-376, ST_Xstring)."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def decoded(text: str) -> str:
    """Return a text with its escapes resolved; ``_x005F_`` is an underscore that begins none."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    if plain.isascii():
        return plain
    try:
        return plain.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text  # half a character: no text has it, so it stays as it is written
