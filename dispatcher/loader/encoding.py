"""Which text encoding a file is in: proven over the whole file, or said to be a guess."""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import SheetRefused, UsageProblem
from dispatcher.loader.western import WesternGuess
from dispatcher.model import Remark

NAME_IT = "name it: --encoding, for example --encoding cp1252 or --encoding utf-16"

_CHUNK_BYTES = 1 << 20
_SAMPLE_BYTES = 1 << 16
_LONGEST_LINE = 16 << 20  # characters; one is kept in memory at a time
_MARKS = (  # UTF-32 before UTF-16: the shorter mark is the start of the longer one
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TWICE = re.compile(r"\w{0,20}Ã[\u0080-\u00bf]\w{0,20}")
_NO_FILE_ENCODINGS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextForm:
    """
    How the bytes of a file become text.

    Attributes:
        encoding: Name to show: ``utf-8``, ``utf-8-sig``, ``utf-16-le``, ``cp1252`` ...
        ends_open: The last line has no line end.
        remarks: What is doubtful about it.
    """

    encoding: str
    ends_open: bool
    remarks: tuple[Remark, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Survey:
    """What one pass over the whole text has seen so far."""

    last: str = "\n"
    beyond_ascii: bool = False
    without_line_end: int = 0
    lost: bool = False
    garbled: str = ""

    def take(self, text: str) -> None:
        """See the next piece of the text."""
        if not text:
            return
        self.last = text[-1]
        self.beyond_ascii = self.beyond_ascii or not text.isascii()
        self.lost = self.lost or "\ufffd" in text
        if not self.garbled and "Ã" in text and (found := _TWICE.search(text)):
            self.garbled = found.group()
        has_end = "\n" in text or "\r" in text
        self.without_line_end = 0 if has_end else self.without_line_end + len(text)


class _NotDecodable(Exception):
    """The bytes are not text of that encoding, from this position on."""

    def __init__(self, position: int, survey: _Survey) -> None:
        super().__init__(position)
        self.position = position
        self.survey = survey


def recognise_encoding(path: Path, *, file: str, named: str) -> TextForm:
    """
    Find the encoding of a text file, reading all of it in bounded memory.

    The order: the one that was named; a byte order mark; UTF-16 by its NULs; UTF-8, strictly;
    Windows-1252 with a remark (code ``cp1252``) that shows words it produced.

    Args:
        path: The file, not empty.
        file: The file as it was given, for messages.
        named: Encoding by any name Python knows, or "".

    Raises SheetRefused when the bytes are not text of the encoding named or marked, or when only
    a guess between encodings would be left; UsageProblem for a name that is none; OSError.
    """
    with path.open("rb") as source:
        sample = source.read(_SAMPLE_BYTES)
    if named:
        return _certain(path, _encoding_named(named, sample), file=file)
    marked = next((name for mark, name in _MARKS if sample.startswith(mark)), "")
    certain = marked or _by_nuls(sample, file=file)
    if certain:
        return _certain(path, certain, file=file)
    try:
        return _form("utf-8", _surveyed(path, "utf-8", file=file))
    except _NotDecodable as failure:
        _refuse_mixture(path, failure, file=file)
    return _western(path, file=file)


def open_lines(path: Path, form: TextForm) -> Generator[str, None, None]:
    """
    Give the physical lines of a file with their line ends, without a byte order mark.

    Lines end with LF, CR LF or CR, in any mixture. Raises UnicodeDecodeError or OSError when the
    file is no longer what it was.
    """
    codec = _codec(form.encoding)
    with path.open(encoding=codec, errors="strict", newline="") as stream:
        yield stream.readline().lstrip("\ufeff")
        yield from stream


def _codec(encoding: str) -> str:
    # The plain codec is several times faster; open_lines takes the mark away.
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _encoding_named(named: str, sample: bytes) -> str:
    try:
        found = codecs.lookup(named)
        "".encode(found.name)  # refuses codecs that are no text encodings (hex, zip, rot13)
    except (LookupError, UnicodeError, ValueError) as error:
        raise _unknown(named) from error
    if found.name.replace("_", "-") in _NO_FILE_ENCODINGS:
        raise _unknown(named)
    if found.name in {"utf-8", "utf-16", "utf-32"}:
        return _with_byte_order(found.name, sample)
    return found.name


def _with_byte_order(family: str, sample: bytes) -> str:
    """Say which member of the family it is: by its mark, else by where its NULs stand."""
    for mark, name in _MARKS:
        if name.startswith(family) and sample.startswith(mark):
            return name
    if family == "utf-8":
        return family
    big = sample[0::2].count(0) > sample[1::2].count(0) if family == "utf-16" else sample[0] == 0
    return f"{family}-be" if big else f"{family}-le"


def _unknown(named: str) -> UsageProblem:
    return UsageProblem(
        f"--encoding {named}: no such text encoding",
        hint="names are, for example, utf-8, cp1252, iso-8859-15, utf-16, big5, mac_roman",
    )


def _by_nuls(sample: bytes, *, file: str) -> str:
    """
    Recognise UTF-16 without a mark: most Western characters have a NUL as one of their two bytes.

    A tenth of all characters (delimiters, digits, line ends) is enough where the bytes are not
    UTF-8, as long as hardly any NUL stands in the other place. A few NULs in UTF-8 are no sign.
    UTF-32 has its NULs in three places of four. Either is then proven over the whole file.
    """
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    needed = len(sample) // (5 if _is_utf_8(sample) else 20)
    if odd and odd >= needed and even * 10 <= odd:
        return "utf-16-le"
    if even and even >= needed and odd * 10 <= even:
        return "utf-16-be"
    places = [sample[place::4].count(0) * 4 > len(sample) * 0.9 for place in range(4)]
    if places in ([False, True, True, True], [True, True, True, False]):
        return "utf-32-be" if places[0] else "utf-32-le"
    if (even + odd) * 4 >= len(sample):
        raise SheetRefused(f"{file}: not a text: a large part of it is NUL bytes", hint=NAME_IT)
    return ""


def _is_utf_8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _certain(path: Path, encoding: str, *, file: str) -> TextForm:
    try:
        return _form(encoding, _surveyed(path, _codec(encoding), file=file))
    except _NotDecodable as failure:
        line = _line_at(path, failure.position)
        raise SheetRefused(
            f"{file}: line {line} holds bytes that are not {encoding}, or the file was cut there",
            hint=f"get the whole file again, or {NAME_IT}",
        ) from failure


def _form(encoding: str, survey: _Survey, remarks: Iterable[Remark] = ()) -> TextForm:
    doubts = list(remarks)
    if survey.lost:
        message = "the text holds � (a character that was lost before this file was saved)"
        doubts.append(Remark(code="lost_characters", message=message))
    if survey.garbled and encoding != "cp1252":
        message = f'the text holds "{survey.garbled}": it was garbled before this file was saved'
        doubts.append(Remark(code="garbled_text", message=message))
    return TextForm(encoding=encoding, ends_open=survey.last not in "\r\n", remarks=tuple(doubts))


def _surveyed(path: Path, codec: str, *, file: str, western: WesternGuess | None = None) -> _Survey:
    """Decode the whole file strictly; raises _NotDecodable at the first byte that is not text."""
    survey = _Survey()
    decoder = codecs.getincrementaldecoder(codec)(errors="strict")
    taken = 0
    with path.open("rb") as source:
        while True:
            chunk = source.read(_CHUNK_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                survey.take(_text_before(error, codec))
                raise _NotDecodable(taken - pending + error.start, survey) from error
            survey.take(text)
            if western is not None:
                western.take(text)
            if survey.without_line_end > _LONGEST_LINE:
                raise SheetRefused(f"{file}: not a sheet: a line has no end for 16 MB")
            if not chunk:
                return survey
            taken += len(chunk)


def _text_before(error: UnicodeDecodeError, codec: str) -> str:
    return error.object[: error.start].decode(codec, "ignore")


def _line_at(path: Path, position: int) -> int:
    """Count the lines up to a byte, in an encoding where line ends hold the bytes LF or CR."""
    feeds, returns, left = 0, 0, position
    with path.open("rb") as source:
        while left > 0 and (chunk := source.read(min(left, _CHUNK_BYTES))):
            feeds += chunk.count(b"\n")
            returns += chunk.count(b"\r")
            left -= len(chunk)
    return max(feeds, returns) + 1


def _refuse_mixture(path: Path, failure: _NotDecodable, *, file: str) -> None:
    """Refuse what was UTF-8 with characters beyond ASCII until a byte that is not."""
    if failure.survey.beyond_ascii:
        line = _line_at(path, failure.position)
        raise SheetRefused(
            f"{file}: UTF-8 up to line {line}, where bytes of another encoding begin "
            "or the file was cut",
            hint=f"get the whole file again, save it as UTF-8, or {NAME_IT}",
        )


def _western(path: Path, *, file: str) -> TextForm:
    guess = WesternGuess()
    try:
        survey = _surveyed(path, "cp1252", file=file, western=guess)
    except _NotDecodable as failure:
        raise SheetRefused(
            f"{file}: neither UTF-8 nor Windows text (line {_line_at(path, failure.position)})",
            hint=NAME_IT,
        ) from failure
    if not guess.is_plausible():
        raise SheetRefused(
            f"{file}: not UTF-8, and as Windows text it holds no words: {guess.examples()}",
            hint=NAME_IT,
        )
    remark = Remark(
        code="cp1252",
        message=f"not UTF-8, so it was read as Windows text (cp1252): {guess.examples()}; "
        "if these look wrong, name the right one: --encoding",
    )
    return _form("cp1252", survey, [remark])
